"""Plans: the steps from the world as it is to a goal, also from wherever a killed run left the world.

Pure functions. Deliberately does not: read or change anything.
Ports are published by the first network that is not internal, so publishing is one connect. Steps that would lengthen
the window needlessly come before it (`standby`, `prepare`, `aside`) or after it (`finish`).
"""

from __future__ import annotations

from dataclasses import dataclass

from hostctl.docker.containers import Container
from hostctl.handover import steps, withdrawal
from hostctl.handover.observed import World
from hostctl.handover.request import HandoverRequest, RecordedNetwork
from hostctl.handover.steps import Step
from hostctl.handover.withdrawal import Standby, Withdrawal


@dataclass(frozen=True)
class Plan:
    """Steps to a goal. `standby` may take its time, since the other gateway serves meanwhile; `aside` moves the port to
    that one's standby network, and the window is `release` and `connect`. `renew` comes last, and a failure there
    undoes nothing. A plan without steps has a `reason`."""

    standby: tuple[Step, ...] = ()
    prepare: tuple[Step, ...] = ()
    aside: tuple[Step, ...] = ()
    release: tuple[Step, ...] = ()
    connect: tuple[Step, ...] = ()
    finish: tuple[Step, ...] = ()
    renew: tuple[Step, ...] = ()
    reason: str = ""

    def is_empty(self) -> bool:
        return not (self.standby or self.prepare or self.aside or self.release or self.connect or self.finish)


def sentinel_serves(world: World, request: HandoverRequest, serving: Container) -> Plan:
    """`serving` has the port; the predecessor and other Sentinels are in standby."""
    inside, standby = _inside(world, request), tuple[Step, ...]()
    if not serving.running:
        aside = withdrawal.of(serving, inside)
        standby = (*aside.in_order(), steps.start(serving))
        serving = serving.without(aside.left())
    predecessor, off = world.predecessor, Withdrawal()
    stop = renew = tuple[Step, ...]()
    if predecessor:
        if predecessor.restart[0] != "no":
            off += Withdrawal(prepare=(steps.restart_policy(predecessor, ("no", 0)),))
        if predecessor.running:
            off += withdrawal.of(predecessor, _aside(world, request))
            if request.keep == "stopped":
                stop = (steps.stop(predecessor, request.limits.drain_seconds),)
            elif predecessor.publishes(request.port) and not predecessor.on(request.standby):
                renew = restarted(predecessor, world, request)
    for other in world.gateways:
        if other.id != serving.id:
            off += withdrawal.of(other, inside, request.also)
    if serving.on(request.edge) and not serving.publishes(request.port):
        # It joined while the port was held (a restarted dockerd can do that): joining again publishes.
        off += Withdrawal(release=(steps.disconnect(serving, request.edge),))
        serving = serving.without([request.edge])
    missing = [name for name in (request.edge, request.internal) if not serving.on(name)]
    if standby:
        missing = [name for name in missing if name != request.internal]
    connect = tuple(steps.connect(serving, name, request.aliases) for name in missing)
    also = tuple(steps.connect(serving, name, request.aliases) for name in request.also if not serving.on(name))
    plan = Plan(standby, off.prepare, off.aside, off.release, connect, also + off.finish + stop, renew)
    return _or_reason(plan, f"{serving.name} already holds port {request.port}")


def predecessor_serves(world: World, request: HandoverRequest) -> Plan:
    """The predecessor has the port as recorded, every Sentinel container is on the internal network."""
    predecessor, recorded = world.predecessor, request.predecessor.server
    if predecessor is None or recorded is None:
        return nobody_serves(world, request)
    off = _all_unpublished(world, request)
    siblings = {container.name: container for container in world.siblings}
    standby = tuple(
        steps.start(siblings[sibling.name])
        for sibling in request.predecessor.siblings
        if sibling.running and sibling.name in siblings and not siblings[sibling.name].running
    )
    present = predecessor
    if not predecessor.publishes(request.port):
        aside = withdrawal.of(predecessor, _aside(world, request))
        start = (steps.start(predecessor), steps.end_sessions(predecessor, world.siblings))
        standby += aside.in_order() + (() if predecessor.running else start)
        present = predecessor.without(aside.left())
    missing = [network for network in recorded.networks if not present.on(network.name)]
    connect = tuple(_as_recorded(predecessor, network) for network in missing if not network.internal)
    later = tuple(_as_recorded(predecessor, network) for network in missing if network.internal)
    finish = off.finish + later + _policy(predecessor, recorded.restart_policy)
    plan = Plan(standby, off.prepare, off.aside, off.release, connect, finish, _renewed(world, request))
    return _or_reason(plan, f"{predecessor.name} already holds port {request.port}")


def nobody_serves(world: World, request: HandoverRequest) -> Plan:
    """No Sentinel container has the port; a predecessor that did not serve before stays as it is."""
    off, recorded = _all_unpublished(world, request), request.predecessor.server
    policy = _policy(world.predecessor, recorded.restart_policy) if world.predecessor and recorded else ()
    plan = Plan((), off.prepare, off.aside, off.release, (), off.finish + policy)
    return _or_reason(plan, f"no Sentinel container holds port {request.port}")


def predecessor_stops(world: World, request: HandoverRequest) -> Plan:
    """A predecessor in standby is stopped by its own shutdown."""
    predecessor = world.predecessor
    if predecessor is None:
        return Plan(reason="there is no predecessor to stop")
    if predecessor.publishes(request.port):
        return Plan(reason=f"{predecessor.name} holds port {request.port}: cut over first")
    if not predecessor.running:
        return Plan(reason=f"{predecessor.name} is stopped already")
    prepare = (steps.restart_policy(predecessor, ("no", 0)),) if predecessor.restart[0] != "no" else ()
    return Plan(prepare=prepare, finish=(steps.stop(predecessor, request.limits.drain_seconds),))


def restarted(predecessor: Container, world: World, request: HandoverRequest) -> tuple[Step, ...]:
    """Its connections are new afterwards, and nothing waits for a lock of the former ones."""
    again = steps.restart(predecessor, request.limits.drain_seconds)
    return (again, steps.end_sessions(predecessor, world.siblings))


def _all_unpublished(world: World, request: HandoverRequest) -> Withdrawal:
    inside = _inside(world, request)
    return sum((withdrawal.of(gateway, inside, request.also) for gateway in world.gateways), Withdrawal())


def _renewed(world: World, request: HandoverRequest) -> tuple[Step, ...]:
    """A Sentinel that left its internal network lost its connections to the database there: each would cost the audit
    row of a later call."""
    serving = [gateway for gateway in world.gateways if gateway.published and not gateway.restarting]
    return tuple(steps.restart(gateway, request.limits.drain_seconds) for gateway in serving if world.republishes)


def _inside(world: World, request: HandoverRequest) -> Standby:
    return Standby(request.internal, request.aliases, republishes=world.republishes)


def _aside(world: World, request: HandoverRequest) -> Standby:
    """The predecessor's place in standby: all names that it has on its own networks, one address for good, and links,
    by which it finds the others there first, also while it serves. So its connections survive every handover."""
    names = dict.fromkeys(alias for n in request.predecessor.gateway.networks for alias in n.aliases)
    address, links = world.standby.address, list(world.standby.links)
    endpoint = {"IPAMConfig": {"IPv4Address": address}, "Links": links} if address else {}
    return Standby(request.standby, tuple(names), endpoint, world.republishes)


def _policy(container: Container, policy: tuple[str, int]) -> tuple[Step, ...]:
    return () if container.restart == policy else (steps.restart_policy(container, policy),)


def _as_recorded(predecessor: Container, network: RecordedNetwork) -> Step:
    return steps.connect(predecessor, network.name, network.aliases, network.endpoint)


def _or_reason(plan: Plan, reason: str) -> Plan:
    return Plan(reason=reason) if plan.is_empty() else plan
