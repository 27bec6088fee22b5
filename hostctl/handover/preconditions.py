"""Preconditions: what must be true before the port is touched, each refusal one sentence."""

from __future__ import annotations

import time

from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.containers import Container
from hostctl.docker.engine import Engine
from hostctl.handover.goal import Goal
from hostctl.handover.observed import World
from hostctl.handover.request import HandoverRequest, RecordedContainer
from hostctl.host import listeners
from hostctl.host.port_holder import NOBODY
from hostctl.mcp import client, initialize

HELD_SECONDS = 0.5
"""Docker may need a moment until a withdrawn gateway's proxy has ended."""
POLL_SECONDS = 0.02


def can_cut_over(engine: Engine, world: World, request: HandoverRequest) -> Container:
    """The container that may get the port; raises Refusal, and then nothing has been touched."""
    sentinel = world.sentinel
    if sentinel is None:
        raise Refusal(f"the container {request.container[:12]} does not exist: create and start it, then run again")
    _refuse_paused(world.sentinel, world.predecessor)
    inside = sentinel.inside_port(request.port)
    if not inside:
        raise Refusal(f"{sentinel.name} does not declare port {request.port}: create it with that port")
    for network in (request.edge, request.internal, *request.also):
        if network not in world.networks:
            raise Refusal(f"the network {network} does not exist: create it, then run again")
    if world.networks[request.edge]:
        raise Refusal(f"the network {request.edge} is internal and publishes nothing: create it without 'internal'")
    _refuse_intruder(world, request)
    _refuse_without_rollback(world, request)
    client.token_in(request.probe.token_file)
    if sentinel.running:
        _refuse_bad_answer_inside(sentinel, inside, request)
    return sentinel


def can_roll_back(engine: Engine, world: World, request: HandoverRequest) -> None:
    """Raise Refusal when the predecessor could not come back; nothing has been touched then."""
    recorded = request.predecessor.server
    if recorded is None:
        return
    if world.predecessor is None:
        raise Refusal(
            f"the predecessor's container {recorded.name} is gone, so the port stays where it is: bring it back "
            "('docker compose up --no-start' in its folder), then run again"
        )
    _refuse_paused(world.predecessor)
    _refuse_missing_networks(world, request)
    refuse_taken_address(engine, recorded)
    if not request.force:
        _refuse_missing_sibling(world, request)
    if world.unknown_owner is not None:
        _refuse_intruder(world, request)


def refuse_taken_address(engine: Engine, gateway: RecordedContainer) -> None:
    """Raise Refusal when another container has an address that was fixed for the predecessor's gateway."""
    fixed = [network for network in gateway.networks if network.fixed_addresses]
    for other in containers.everything(engine) if fixed else []:
        for network in fixed:
            taken = other.addresses_on(network.name) & set(network.fixed_addresses)
            if taken and other.running and other.name != gateway.name:
                raise Refusal(
                    f"{other.name} took the address {min(taken)} of {gateway.name} on the network {network.name}: take "
                    f"it off ('docker network disconnect {network.name} {other.name}'), then run again"
                )


def refuse_held_port(engine: Engine, request: HandoverRequest, goal: Goal) -> None:
    """Raise Refusal when somebody else has the port by now.

    On Docker 20.10 a connect that fails for that reason leaves an interface behind, and the next one fails as well
    until the container is restarted. So the holder is read, never found out by trying.
    """
    end = time.monotonic() + HELD_SECONDS
    while holder := _holder(engine, request.port, goal):
        if time.monotonic() > end:
            raise Refusal(f"{holder} took port {request.port} meanwhile: stop it")
        time.sleep(POLL_SECONDS)


def _holder(engine: Engine, port: int, goal: Goal) -> str:
    for row in containers.listed(engine):
        if port in containers.published_in(row):
            return "" if row["Id"] == goal.container else f"the container {row['Names'][0].lstrip('/')}"
    return listeners.listener(port) or ""


def _refuse_paused(*gateways: Container | None) -> None:
    for gateway in gateways:
        if gateway is not None and gateway.paused:
            raise Refusal(f"{gateway.name} is paused, and not by us: 'docker unpause {gateway.name}', then run again")


def _refuse_missing_sibling(world: World, request: HandoverRequest) -> None:
    present = {container.name for container in world.siblings}
    for sibling in request.predecessor.siblings:
        if sibling.running and sibling.name not in present:
            raise Refusal(
                f"the predecessor's container {sibling.name} is gone: bring it back ('docker compose up --no-start' in "
                "its folder) and run again, or roll back all the same with FORCE=1"
            )


def _refuse_intruder(world: World, request: HandoverRequest) -> None:
    intruder = world.intruder(request.port)
    if intruder.kind != NOBODY:
        raise Refusal(intruder.refusal(request.port))


def _refuse_without_rollback(world: World, request: HandoverRequest) -> None:
    recorded = request.predecessor.server
    if recorded is None:
        return
    if world.predecessor is None and world.holder(request.port).kind == NOBODY:
        raise Refusal(
            f"the predecessor's container {recorded.name} is gone, so there would be no rollback: bring it back, or "
            "set predecessor.kind to absent"
        )
    if world.predecessor is not None:
        _refuse_missing_networks(world, request)


def _refuse_missing_networks(world: World, request: HandoverRequest) -> None:
    recorded = request.predecessor.server
    for network in recorded.networks if recorded else ():
        if network.name not in world.networks:
            raise Refusal(
                f"the predecessor's network {network.name} is gone, so it could not come back: create it "
                f"('docker network create {network.name}'), then run again"
            )


def _refuse_bad_answer_inside(sentinel: Container, inside: int, request: HandoverRequest) -> None:
    # The host reaches a container at its address on the internal bridge, so it is called before the window.
    address = sentinel.address_on(request.internal) or sentinel.address_on(request.edge)
    if not address:
        return
    probe = request.probe
    target = initialize.Target(address, inside, probe.path, f"127.0.0.1:{request.port}", probe.token_file)
    began = time.monotonic()
    answer = initialize.wait(target, request.limits.answer_seconds)
    if not answer.good:
        passed = time.monotonic() - began
        raise Refusal(
            f"{sentinel.name} gives no good MCP answer at its own address ({answer.reason}, {passed:.1f} s): check its "
            "log, fix it, then run again; the gateway that serves has not been touched"
        )
    initialize.end_session(target, answer)
