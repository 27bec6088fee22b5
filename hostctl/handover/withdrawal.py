"""The withdrawal of a gateway: off the networks that publish its port, and onto the internal one on which it stands by.

Pure functions. The order has a reason (measured): taking a container off the network that publishes while an internal
one remains publishes the port there at once, on Docker 20.10. So there a gateway that has a place on its standby
network leaves the others before the window and serves on from that place, with its connections; the window begins
when it leaves that one too, and it joins it again afterwards, under its fixed address. One without a place leaves the
publishing network last. On Docker 26 and later a gateway joins the standby network beforehand and never leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hostctl.docker.containers import Container
from hostctl.handover import steps
from hostctl.handover.steps import Step


@dataclass(frozen=True)
class Standby:
    """The network on which a gateway stands by, and its endpoint there; `republishes` is true on Docker 20.10."""

    network: str
    aliases: tuple[str, ...] = ()
    endpoint: dict[str, Any] = field(default_factory=dict[str, Any])
    republishes: bool = True


@dataclass(frozen=True)
class Withdrawal:
    """Steps before the window, in it, and after it; after `aside` the gateway serves from its standby network alone."""

    prepare: tuple[Step, ...] = ()
    aside: tuple[Step, ...] = ()
    release: tuple[Step, ...] = ()
    finish: tuple[Step, ...] = ()

    def __add__(self, other: Withdrawal) -> Withdrawal:
        return Withdrawal(
            self.prepare + other.prepare,
            self.aside + other.aside,
            self.release + other.release,
            self.finish + other.finish,
        )

    def in_order(self) -> tuple[Step, ...]:
        return self.prepare + self.aside + self.release + self.finish

    def left(self) -> list[str]:
        return [step.network for step in self.in_order() if step.action == "disconnect"]


def of(gateway: Container, standby: Standby, left_early: Sequence[str] = ()) -> Withdrawal:
    """`left_early` are networks that it leaves before the window."""
    early = tuple(steps.disconnect(gateway, name) for name in left_early if gateway.on(name))
    others = [a for a in gateway.attachments if a.network != standby.network and a.network not in left_early]
    internal = tuple(steps.disconnect(gateway, other.network) for other in others if other.internal)
    publishing = tuple(steps.disconnect(gateway, other.network) for other in others if not other.internal)
    join = (steps.connect(gateway, standby.network, standby.aliases, standby.endpoint),)
    stands = gateway.on(standby.network)
    # Between two starts it has no endpoint to take off, and the next start would publish again.
    stops = bool(others) and gateway.restarting
    stop = (steps.stop(gateway, 0),) if stops else ()
    start = (steps.start(gateway),) if stops else ()
    if not standby.republishes:
        later = () if stands or not stops else join
        return Withdrawal(early + (() if stands or stops else join), (), stop + publishing, internal + later + start)
    serves = gateway.running and bool(others or gateway.published)
    leave = (steps.disconnect(gateway, standby.network),) if stands and serves else ()
    if stands and not stops:
        return Withdrawal(early, internal + publishing, leave, join if leave else ())
    return Withdrawal(early, (), stop + leave + internal + publishing, join + start)
