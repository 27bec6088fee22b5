"""The first good answer on the port, from the gateway that a goal names."""

from __future__ import annotations

from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.handover.goal import Goal
from hostctl.handover.request import HandoverRequest
from hostctl.host.port_holder import NOBODY, SENTINEL
from hostctl.mcp import initialize


def await_answer(engine: Engine, request: HandoverRequest, goal: Goal, any_answer: bool = False) -> None:
    """Wait for it; raises Refusal when the limit has passed or the container has ended."""
    if goal.kind == NOBODY:
        return
    target, seconds = _target(request, goal)
    answer = initialize.wait(target, seconds, any_answer=any_answer, between=lambda: _refuse_ended(engine, goal))
    if not answer.good:
        _refuse_ended(engine, goal)
        where = f"{target.host}{target.path}"
        raise Refusal(f"no good answer from {goal.name} on {where} within {seconds:g} s ({answer.reason})")
    initialize.end_session(target, answer)


def _target(request: HandoverRequest, goal: Goal) -> tuple[initialize.Target, float]:
    host, limits = f"127.0.0.1:{request.port}", request.limits
    if goal.kind == SENTINEL:
        probe = request.probe
        target = initialize.Target("127.0.0.1", request.port, probe.path, host, probe.token_file)
        return target, limits.answer_seconds
    target = initialize.Target("127.0.0.1", request.port, request.predecessor_probe.path, host)
    return target, limits.predecessor_seconds


def _refuse_ended(engine: Engine, goal: Goal) -> None:
    container = containers.find(engine, goal.container, {})
    if container is None or not container.running or container.restarting:
        code = "" if container is None else f" with exit code {container.exit_code}"
        raise Refusal(f"{goal.name} ended{code} before it answered")
