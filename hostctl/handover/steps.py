"""The steps of a handover as values, the name of each one's point in the journal, and the runner that executes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hostctl.docker.containers import Container
from hostctl.docker.engine import Engine
from hostctl.handover import orphaned_sessions
from hostctl.handover.journal import Entry


@dataclass(frozen=True)
class Step:
    """One change of one container, such as Step("disconnect", "0a1b…", "gateway-1", network="sentinel")."""

    action: str
    container: str
    name: str
    network: str = ""
    aliases: tuple[str, ...] = ()
    restart: tuple[str, int] = ("no", 0)
    seconds: float = 0
    endpoint: Mapping[str, Any] = field(default_factory=dict[str, Any])
    siblings: tuple[str, ...] = ()


def start(container: Container) -> Step:
    return Step("start", container.id, container.name)


def stop(container: Container, seconds: float) -> Step:
    """Its own shutdown, killed after `seconds`."""
    return Step("stop", container.id, container.name, seconds=seconds)


def restart(container: Container, seconds: float) -> Step:
    """The same and a start, by one request, which Docker ends even where its sender is killed."""
    return Step("restart", container.id, container.name, seconds=seconds)


def end_sessions(gateway: Container, siblings: Sequence[Container]) -> Step:
    """The sessions in the databases among `siblings` that a former process of the gateway left there."""
    running = tuple(sibling.id for sibling in siblings if sibling.running)
    return Step("end-sessions", gateway.id, gateway.name, siblings=running)


def restart_policy(container: Container, policy: tuple[str, int]) -> Step:
    return Step("restart-policy", container.id, container.name, restart=policy)


def connect(
    container: Container, network: str, aliases: Sequence[str] = (), endpoint: Mapping[str, Any] | None = None
) -> Step:
    """`endpoint` is what the network's endpoint has beside the aliases, such as a fixed address."""
    return Step("connect", container.id, container.name, network, tuple(aliases), endpoint=endpoint or {})


def disconnect(container: Container, network: str) -> Step:
    return Step("disconnect", container.id, container.name, network)


def points(verb: str, phase: str, steps: Sequence[Step]) -> Iterator[tuple[str, Step]]:
    """Each step with its point, such as "cutover.release.disconnect"; the second of a kind ends in ".2"."""
    seen: dict[str, int] = {}
    for step in steps:
        seen[step.action] = seen.get(step.action, 0) + 1
        count = "" if seen[step.action] == 1 else f".{seen[step.action]}"
        yield f"{verb}.{phase}.{step.action}{count}", step


def run(engine: Engine, entry: Entry, verb: str, phase: str, steps: Sequence[Step], tolerant: bool = False) -> None:
    """Write each step's point, then execute it; raises DockerError at the first that fails."""
    for point, step in points(verb, phase, steps):
        entry.point(point, tolerant, container=step.name, network=step.network)
        execute(engine, step)


def execute(engine: Engine, step: Step) -> None:
    """Execute one step, as a rule by one request; raises DockerError."""
    base = f"/containers/{step.container}"
    if step.action == "start":
        engine.post(f"{base}/start")
    elif step.action == "stop":
        engine.post(f"{base}/stop?t={int(step.seconds)}", seconds=step.seconds + 30)
    elif step.action == "restart":
        engine.post(f"{base}/restart?t={int(step.seconds)}", seconds=step.seconds + 30)
    elif step.action == "end-sessions":
        orphaned_sessions.end(engine, step.container, step.siblings)
    elif step.action == "restart-policy":
        policy = {"Name": step.restart[0], "MaximumRetryCount": step.restart[1]}
        engine.post(f"{base}/update", {"RestartPolicy": policy})
    elif step.action == "connect":
        body = {"Container": step.container, "EndpointConfig": {**step.endpoint, "Aliases": list(step.aliases)}}
        engine.post(f"/networks/{quote(step.network)}/connect", body)
    elif step.action == "disconnect":
        engine.post(f"/networks/{quote(step.network)}/disconnect", {"Container": step.container})
    else:
        raise ValueError(step.action)
