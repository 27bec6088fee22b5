"""Docker after a boot: containers, networks, and the owner of the port.

Each row says whether time can still fix it: a container that is starting can, a network that is gone cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hostctl.docker import containers
from hostctl.docker.containers import GATEWAY_ROLE, Container
from hostctl.docker.engine import Engine
from hostctl.host import loopback_only, port_holder
from hostctl.reboot_check.request import RebootCheckRequest
from hostctl.reboot_check.row import Row


@dataclass(frozen=True)
class DockerState:
    """The containers as they are now, and each network with whether it is internal."""

    found: Sequence[Container]
    networks: Mapping[str, bool]

    def named(self, name: str) -> Container | None:
        return next((container for container in self.found if container.name == name), None)


def read(engine: Engine) -> DockerState:
    """The state now; raises DockerError."""
    return DockerState(containers.everything(engine), containers.internal_networks(engine))


def running_before(state: DockerState, request: RebootCheckRequest) -> dict[str, list[str]]:
    """Containers beside the gateways that run now and will after a boot, ours and the predecessor's; their networks.

    A restart policy of `no` says that its owner keeps the container down.
    """
    ours = {request.internal, request.edge}
    return {
        container.name: sorted(attachment.network for attachment in container.attachments)
        for container in state.found
        if container.running and not container.paused and container.restart[0] != "no"
        if container.role != GATEWAY_ROLE and container.name != request.predecessor
        if ours & {attachment.network for attachment in container.attachments}
        or (request.project and container.project == request.project)
    }


def of_containers(request: RebootCheckRequest, state: DockerState) -> Row:
    """Every container that must run does and is healthy; none is paused, and the predecessor does not serve."""
    starting: list[str] = []
    lost: list[str] = []
    for name in request.running:
        problem, final = fault(state.named(name))
        if problem:
            (lost if final else starting).append(f"{name} {problem}")
    paused = [container.name for container in state.found if container.paused]
    lost += [f"{name} is still paused" for name in paused if name not in request.running]
    other = state.named(request.predecessor) if request.active == "sentinel" and request.predecessor else None
    stands_by = other is not None and other.restart[0] == "no" and all(a.internal for a in other.attachments)
    if other is not None and other.running and not other.paused and not stands_by:
        lost.append(f"{other.name} runs beside Sentinel (restart policy {other.restart[0]})")
    elif request.active == "sentinel" and request.predecessor and other is None:
        lost.append(f"{request.predecessor} is gone, so there is no rollback")
    return _row("containers", lost, starting, f"{len(request.running)} run")


def of_networks(request: RebootCheckRequest, state: DockerState) -> Row:
    """Both networks, and on them the containers that were on them before."""
    wrong = [
        f"{name} {'does not exist' if name not in state.networks else 'is of the other kind'}"
        for name, internal in ((request.internal, True), (request.edge, False))
        if state.networks.get(name) is not internal
    ]
    expected = {name: set(before) for name, before in request.networks_before.items()}
    if request.active == "sentinel":
        expected[request.sentinel] = {request.internal, request.edge}
    elif request.standby:
        expected[request.sentinel] = {request.internal}
    for name, networks in sorted(expected.items()):
        container = state.named(name)
        # One that is gone is reported among the containers.
        missing = [] if container is None else [network for network in sorted(networks) if not container.on(network)]
        wrong += [f"{name} is not on {network}" for network in missing]
    standby = state.named(request.sentinel) if request.active == "contextforge" else None
    if standby is not None and standby.on(request.edge):
        wrong.append(f"{standby.name} is in standby, yet is on {request.edge}")
    return _row("networks", wrong, [], f"{len(expected)} containers are on theirs")


def of_port(request: RebootCheckRequest, state: DockerState) -> Row:
    """The right gateway alone has the port, on loopback only."""
    containers_of_port = port_holder.every(state.found, request.port, request.gateway)
    holders = containers_of_port or [port_holder.find([], request.port, "")]
    if [holder.name for holder in holders] != [request.gateway]:
        names = " and ".join(holder.name or holder.kind for holder in holders)
        return Row("port", False, f"{names} has it, {request.gateway} should", final=bool(containers_of_port))
    bound = loopback_only.check([request.port, request.health_port])
    if not bound["ok"]:
        return Row("port", False, f"more than loopback: {', '.join([*bound['listening'], *bound['reachable']])}", True)
    return Row("port", True, f"{request.gateway} alone has {request.port}, on loopback")


def fault(container: Container | None) -> tuple[str, bool]:
    """The fault of a container that must run, empty where there is none, and whether it is final."""
    if container is None:
        return "does not exist", True
    if container.paused:
        return "is still paused", True
    if not container.running:
        stays = container.restart[0] == "no"
        return ("does not run, and its restart policy is no" if stays else "does not run"), stays
    if container.restarting:
        return "ends and is started again", False
    if container.health not in ("", "healthy"):
        return f"is {container.health}", False
    return "", False


def _row(part: str, lost: Sequence[str], starting: Sequence[str], good: str) -> Row:
    problems = [*lost, *starting]
    # A container that is still starting is waited for, so that a result names what is broken and nothing else.
    return Row(part, not problems, "; ".join(problems) or good, final=bool(lost) and not starting)
