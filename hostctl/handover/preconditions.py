"""What must be true before the port is touched.

Owns: the refusals, each one sentence. Deliberately does not: change anything.
"""

from __future__ import annotations

import time

from hostctl.core.errors import Refusal
from hostctl.docker.containers import Container
from hostctl.docker.engine import Engine
from hostctl.handover.observed import World
from hostctl.handover.request import Request
from hostctl.host import listeners
from hostctl.mcp import initialize


def can_take(engine: Engine, world: World, request: Request) -> Container:
    """The container that may take the port; raises Refusal, and then nothing has been touched."""
    sentinel = world.sentinel
    if sentinel is None:
        raise Refusal(f"the container {request.container[:12]} does not exist: create and standby it, then run again")
    if not sentinel.running or sentinel.paused:
        raise Refusal(f"{sentinel.name} does not run: start it with 'standby start', then run again")
    inside = sentinel.inside_port(request.port)
    if not inside:
        raise Refusal(f"{sentinel.name} does not declare port {request.port}: create it with that port")
    for network in (request.edge, request.internal, *request.also):
        if network not in world.networks:
            raise Refusal(f"the network {network} does not exist: create it, then run again")
    if world.networks[request.edge]:
        raise Refusal(f"the network {request.edge} is internal and publishes nothing: create it without 'internal'")
    _no_stranger(world, request)
    _rollback(world, request)
    initialize.token_in(request.token_file)
    _answers_inside(sentinel, inside, request)
    return sentinel


def can_give(world: World, request: Request) -> None:
    """Raises Refusal when the predecessor is gone; nothing has been touched then."""
    recorded = request.predecessor.gateway
    if recorded is None:
        return
    if world.predecessor is None:
        raise Refusal(
            f"the predecessor's container {recorded.name} is gone, so the port stays where it is: bring it back "
            "('docker compose up --no-start' in its folder), then run again"
        )
    _recorded_networks(world, request)
    if world.stranger is not None:
        _no_stranger(world, request)


def _no_stranger(world: World, request: Request) -> None:
    if world.stranger is not None:
        raise Refusal(
            f"port {request.port} is held by the container {world.stranger.name}, which is neither the predecessor nor "
            f"Sentinel: stop it ('docker stop {world.stranger.name}'), then run again"
        )
    if world.holder(request.port) is None:
        listener = listeners.listener(request.port)
        if listener is not None:
            raise Refusal(f"port {request.port} is held by {listener}, which is no gateway: stop it, then run again")


def _rollback(world: World, request: Request) -> None:
    recorded = request.predecessor.gateway
    if recorded is None:
        return
    if world.predecessor is None and world.holder(request.port) is None:
        raise Refusal(
            f"the predecessor's container {recorded.name} is gone, so there would be no rollback: bring it back, or "
            "set predecessor.kind to absent"
        )
    if world.predecessor is not None:
        _recorded_networks(world, request)


def _recorded_networks(world: World, request: Request) -> None:
    recorded = request.predecessor.gateway
    for network in recorded.networks if recorded else ():
        if network.name not in world.networks:
            raise Refusal(
                f"the predecessor's network {network.name} is gone, so it could not come back: create it "
                f"('docker network create {network.name}'), then run again"
            )


def _answers_inside(sentinel: Container, inside: int, request: Request) -> None:
    # The host reaches a container at its address on the internal bridge, so it is asked before the window.
    address = sentinel.address_on(request.internal) or sentinel.address_on(request.edge)
    if not address:
        return
    target = initialize.Target(address, inside, request.probe_path, f"127.0.0.1:{request.port}", request.token_file)
    began = time.monotonic()
    answer = initialize.wait(target, request.answer_seconds)
    if not answer.good:
        passed = time.monotonic() - began
        raise Refusal(
            f"{sentinel.name} gives no good MCP answer inside ({answer.reason}, {passed:.1f} s): look at its "
            "log, fix it, then run again; the gateway that serves has not been touched"
        )
    initialize.end_session(target, answer)
