"""One verb of `hostctl` on the stack's host, outside of an engine's run.

Owns: the command line of a worker, here or by the one ssh connection (`verify/link`). The verb comes from this
repository, not from the host, so that a host with an older `hostctl`, or with none, answers as well.
Deliberately does not: change anything that the program declares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, cast

from console.errors import UserError
from ops.engine import sandbox, state, workers
from ops.engine.run import EngineFailed, own_sentence
from settings import Settings
from settings.limits import ANSWER_SECONDS, DRAIN_SECONDS, PREDECESSOR_SECONDS
from verify.link.start import command_line
from verify.link.target import Target

LIMIT_SECONDS = 180
"""Limit of a verb, on top of the limits that the settings give to its steps."""


def run(
    stack: str,
    settings: Settings,
    verb: str,
    action: str,
    document: Mapping[str, Any],
    *,
    limit_seconds: float = LIMIT_SECONDS,
) -> dict[str, Any]:
    """The verb's answer; raises UserError with its one sentence, EngineFailed when none comes within the limit."""
    request = json.dumps({**document, "docker_socket": settings.host.docker_socket})
    try:
        answer = workers.answer(_worker(stack, settings), [verb, action], request, limit_seconds)
    except TimeoutError:
        raise EngineFailed(
            f"The host of stack {stack} gave no answer to `{verb} {action}` within {limit_seconds:g} s and may still "
            "be at work: run the same command again to continue."
        ) from None
    if answer.code:
        raise UserError(refusal(answer.stderr, answer.code))
    return cast("dict[str, Any]", json.loads(answer.stdout))


def refusal(output: str, code: int) -> str:
    """The verb's own sentence in what it wrote to stderr, or ssh's."""
    return "\n".join(own_sentence(output.strip().splitlines() or [f"exit code {code} and no message"]))


def handover_status(stack: str, settings: Settings, resources: state.Resources) -> dict[str, Any]:
    """The port's holder, and a handover that is unfinished or in progress."""
    return run(stack, settings, "handover", "status", state.handover_request(resources, settings))


def hand_over(stack: str, settings: Settings, action: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """`cutover`, `rollback` or `stop-predecessor`: each may take a start, an answer, a stop, and the undo of them."""
    steps = PREDECESSOR_SECONDS + ANSWER_SECONDS + DRAIN_SECONDS
    return run(stack, settings, "handover", action, document, limit_seconds=LIMIT_SECONDS + 2 * steps)


def _worker(stack: str, settings: Settings) -> list[str]:
    """The command line that starts a worker on the host."""
    host = settings.host
    if host.kind == "ssh":
        return sandbox.on_host(stack, [sys.executable, *command_line(Target.of(host), ["python3", *workers.PROGRAM])])
    return sandbox.on_host(stack, [sys.executable, *workers.PROGRAM])
