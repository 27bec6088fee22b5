"""Plans: the steps from the world as it is to a goal, also from wherever a killed run left the world.

Pure functions. Deliberately does not: read or change anything.
The order has a reason (measured, Docker 20.10 and 29): ports are published by the first network that is not internal;
taking a container off that one while an internal one remains publishes them there on 20.10, so the publishing one is
left last.
Steps that would lengthen the window needlessly come before it (`prepare`) or after it (`finish`).
"""

from __future__ import annotations

from dataclasses import dataclass

from hostctl.docker.containers import Container
from hostctl.handover import steps
from hostctl.handover.observed import World
from hostctl.handover.request import HandoverRequest
from hostctl.handover.steps import Step


@dataclass(frozen=True)
class Plan:
    """Steps to a goal; the window is `release` and `connect`. A plan without steps has a `reason`."""

    prepare: tuple[Step, ...] = ()
    release: tuple[Step, ...] = ()
    connect: tuple[Step, ...] = ()
    finish: tuple[Step, ...] = ()
    reason: str = ""

    def is_empty(self) -> bool:
        return not (self.prepare or self.release or self.connect or self.finish)


def sentinel_serves(world: World, request: HandoverRequest, serving: Container) -> Plan:
    """`serving` has the port, the predecessor is out of service, other Sentinels are on the internal network."""
    prepare: list[Step] = []
    release: list[Step] = []
    connect: list[Step] = []
    finish: list[Step] = []
    predecessor = world.predecessor
    if predecessor:
        if predecessor.restart[0] != "no":
            prepare.append(steps.restart_policy(predecessor, ("no", 0)))
        release += _out_of_service(predecessor, request)
    for other in world.gateways:
        if other.id != serving.id:
            prepare_other, release_other, finish_other = _unpublished(other, request)
            prepare += prepare_other
            release += release_other
            finish += finish_other
    on_edge = serving.on(request.edge)
    if on_edge and not serving.publishes(request.port):
        # It joined while the port was held (a restarted dockerd can do that): joining again publishes.
        release.append(steps.disconnect(serving, request.edge))
        on_edge = False
    if not on_edge:
        connect.append(steps.connect(serving, request.edge, request.aliases))
    if not serving.on(request.internal):
        connect.append(steps.connect(serving, request.internal, request.aliases))
    finish = [steps.connect(serving, name, request.aliases) for name in request.also if not serving.on(name)] + finish
    return _plan(prepare, release, connect, finish, f"{serving.name} already holds port {request.port}")


def predecessor_serves(world: World, request: HandoverRequest) -> Plan:
    """The predecessor has the port as recorded, every Sentinel container is on the internal network."""
    predecessor, recorded = world.predecessor, request.predecessor.server
    if predecessor is None or recorded is None:
        return nobody_serves(world, request)
    prepare, release, finish = _all_unpublished(world, request)
    connect: list[Step] = []
    siblings = {container.name: container for container in world.siblings}
    prepare += [
        steps.start(siblings[sibling.name])
        for sibling in request.predecessor.siblings
        if sibling.running and sibling.name in siblings and not siblings[sibling.name].running
    ]
    missing = sorted((n for n in recorded.networks if not predecessor.on(n.name)), key=lambda n: n.internal)
    joining = [steps.connect(predecessor, network.name, network.aliases) for network in missing]
    if not predecessor.running:
        # A stopped container binds no port, so it may join before the window.
        prepare += joining
        connect.append(steps.start(predecessor))
    else:
        connect += joining
        if not missing and not predecessor.publishes(request.port):
            connect += _joined_again(predecessor, request)
        if predecessor.paused:
            connect.append(steps.unpause(predecessor))
    if predecessor.restart != recorded.restart_policy:
        finish.append(steps.restart_policy(predecessor, recorded.restart_policy))
    return _plan(prepare, release, connect, finish, f"{predecessor.name} already holds port {request.port}")


def nobody_serves(world: World, request: HandoverRequest) -> Plan:
    """No Sentinel container has the port; a predecessor that did not serve before stays as it is."""
    prepare, release, finish = _all_unpublished(world, request)
    recorded = request.predecessor.server
    if world.predecessor and recorded and world.predecessor.restart != recorded.restart_policy:
        finish.append(steps.restart_policy(world.predecessor, recorded.restart_policy))
    return _plan(prepare, release, [], finish, f"no Sentinel container holds port {request.port}")


def predecessor_stops(world: World, request: HandoverRequest) -> Plan:
    """A paused predecessor is stopped. Off its networks, unpaused for its own shutdown, it answers nobody."""
    predecessor = world.predecessor
    if predecessor is None:
        return Plan(reason="there is no predecessor to stop")
    if predecessor.publishes(request.port):
        return Plan(reason=f"{predecessor.name} holds port {request.port}: cut over first")
    if not predecessor.running:
        return Plan(reason=f"{predecessor.name} is stopped already")
    prepare = [steps.restart_policy(predecessor, ("no", 0))] if predecessor.restart[0] != "no" else []
    finish = [steps.disconnect(predecessor, network) for network in _publishing_last(predecessor)]
    if predecessor.paused:
        finish.append(steps.unpause(predecessor))
    finish.append(steps.stop(predecessor, request.limits.drain_seconds))
    return _plan(prepare, [], [], finish, "")


def _out_of_service(predecessor: Container, request: HandoverRequest) -> list[Step]:
    if not predecessor.running:
        return []
    if request.release == "stop" and predecessor.attachments:
        unpausing = [steps.unpause(predecessor)] if predecessor.paused else []
        return [*unpausing, steps.stop(predecessor, request.limits.drain_seconds)]
    pausing = [] if predecessor.paused else [steps.pause(predecessor)]
    return [*pausing, *(steps.disconnect(predecessor, network) for network in _publishing_last(predecessor))]


def _unpublished(gateway: Container, request: HandoverRequest) -> tuple[list[Step], list[Step], list[Step]]:
    leave_early = [steps.disconnect(gateway, name) for name in request.also if gateway.on(name)]
    leave: list[Step] = []
    rejoin: list[Step] = []
    if gateway.on(request.edge):
        if gateway.restarting:
            # Between two starts it has no endpoint to take off, and the next start would publish again.
            leave.append(steps.stop(gateway, 0))
        if gateway.on(request.internal):
            leave.append(steps.disconnect(gateway, request.internal))
        leave.append(steps.disconnect(gateway, request.edge))
    if gateway.on(request.edge) or not gateway.on(request.internal):
        rejoin.append(steps.connect(gateway, request.internal, request.aliases))
    if gateway.on(request.edge) and gateway.restarting:
        rejoin.append(steps.start(gateway))
    return leave_early, leave, rejoin


def _all_unpublished(world: World, request: HandoverRequest) -> tuple[list[Step], list[Step], list[Step]]:
    parts = [_unpublished(gateway, request) for gateway in world.gateways]
    prepare = [step for part in parts for step in part[0]]
    release = [step for part in parts for step in part[1]]
    finish = [step for part in parts for step in part[2]]
    return prepare, release, finish


def _joined_again(predecessor: Container, request: HandoverRequest) -> list[Step]:
    recorded = request.predecessor.server
    networks = [network for network in recorded.networks if not network.internal] if recorded else []
    return [steps.disconnect(predecessor, network.name) for network in reversed(networks)] + [
        steps.connect(predecessor, network.name, network.aliases) for network in networks
    ]


def _publishing_last(container: Container) -> list[str]:
    return [
        attachment.network
        for attachment in sorted(container.attachments, key=lambda attachment: not attachment.internal)
    ]


def _plan(prepare: list[Step], release: list[Step], connect: list[Step], finish: list[Step], reason: str) -> Plan:
    plan = Plan(tuple(prepare), tuple(release), tuple(connect), tuple(finish))
    return plan if not plan.is_empty() else Plan(reason=reason)
