"""The first good answer of the gateway that a goal names: on the port, or in standby at its own address."""

from __future__ import annotations

from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.containers import Container
from hostctl.docker.engine import Engine
from hostctl.handover import standby
from hostctl.handover.goal import Goal
from hostctl.handover.request import HandoverRequest
from hostctl.handover.rollback_gates import Place
from hostctl.host.port_holder import NOBODY, SENTINEL
from hostctl.mcp import initialize


class Unanswered(Refusal):
    """The limit passed without a good answer of a container that runs."""


def await_answer(engine: Engine, request: HandoverRequest, goal: Goal, any_answer: bool = False) -> None:
    """Wait for it; raises Refusal when the limit has passed or the container has ended."""
    if goal.kind == NOBODY:
        return
    target, seconds = _target(request, goal)
    _await(engine, goal, target, seconds, any_answer)


def await_standby(engine: Engine, request: HandoverRequest, goal: Goal, seconds: float) -> Place:
    """Wait until the predecessor is healthy in standby, and return its address there; raises Refusal."""
    place = standby.place(_not_ended(engine, goal), request)
    target = initialize.Target(place.address, place.inside_port, place.health_path, f"127.0.0.1:{place.port}")
    _await(engine, goal, target, seconds)
    return place


def await_sentinel_inside(engine: Engine, request: HandoverRequest, goal: Goal) -> None:
    """Wait until a Sentinel that was started answers well at its internal address; raises Refusal."""
    sentinel, probe = _not_ended(engine, goal), request.probe
    address, inside = sentinel.address_on(request.internal), sentinel.inside_port(request.port)
    target = initialize.Target(address, inside, probe.path, f"127.0.0.1:{request.port}", probe.token_file)
    _await(engine, goal, target, request.limits.predecessor_seconds)


def _await(engine: Engine, goal: Goal, target: initialize.Target, seconds: float, any_answer: bool = False) -> None:
    answer = initialize.wait(target, seconds, any_answer=any_answer, between=lambda: _not_ended(engine, goal))
    if not answer.good:
        _not_ended(engine, goal)
        where = f"{target.address}:{target.port}{target.path}"
        raise Unanswered(f"no good answer from {goal.name} on {where} within {seconds:g} s ({answer.reason})")
    initialize.end_session(target, answer)


def _target(request: HandoverRequest, goal: Goal) -> tuple[initialize.Target, float]:
    host, limits = f"127.0.0.1:{request.port}", request.limits
    if goal.kind == SENTINEL:
        probe = request.probe
        target = initialize.Target("127.0.0.1", request.port, probe.path, host, probe.token_file)
        return target, limits.answer_seconds
    target = initialize.Target("127.0.0.1", request.port, request.predecessor_probe.path, host)
    return target, limits.predecessor_seconds


def _not_ended(engine: Engine, goal: Goal) -> Container:
    container = containers.find(engine, goal.container, {})
    if container is None or not container.running or container.restarting:
        code = "" if container is None else f" with exit code {container.exit_code}"
        raise Refusal(f"{goal.name} ended{code} before it answered")
    return container
