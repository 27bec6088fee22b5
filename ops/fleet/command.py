"""A single stack's command on a whole fleet: its refusals, its runs, its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from console.errors import UserError
from console.progress import Progress
from console.result import Result
from console.table import columns
from ops.engine import prerequisites, sandbox
from ops.fleet.host_run import Outcome
from ops.fleet.runs import again, run_all
from ops.fleet.view import HEADINGS, View, row_of_outcome
from ops.fleet.waves import Plan

Detail = Callable[[Any], str]
"""The few words on a host that its command's document has for the fleet's table."""


def on_all(
    command: str,
    stacks: Sequence[str],
    progress: Progress,
    detail: Detail,
    *,
    at_once: int,
    canary: bool = False,
) -> Result:
    """Run the command on each stack; raises UserError, nothing begun, where the list of stacks is wrong."""
    require_stacks(command, stacks)
    _make_ready(stacks, progress)
    outcomes = run_all(command, Plan(tuple(stacks), at_once, canary), View(stacks))
    return result_of(command, outcomes, detail, at_once)


def _make_ready(stacks: Sequence[str], progress: Progress) -> None:
    """Install what is missing before the runs, which side by side would install the same parts at the same place.

    Stacks of hosts that exist need the same parts, whichever of them it is. Raises UserError for one without a file.
    """
    existing = [stack for stack in stacks if sandbox.of_stack(stack) is None]
    for stack in existing:
        prerequisites.require_configuration(stack)
    for stack in stacks:
        if stack not in existing[1:]:
            prerequisites.make_ready(stack, progress)


def require_stacks(command: str, stacks: Sequence[str]) -> None:
    """Raise UserError for an empty list, or for one that names a stack twice."""
    if not stacks:
        raise UserError(f'No stack is named: `make fleet-{command} STACKS="a b c"`, the canary first.')
    twice = next((stack for stack in stacks if stacks.count(stack) > 1), None)
    if twice:
        raise UserError(f"STACKS names {twice} more than once: name each host's stack once.")


def result_of(command: str, outcomes: Sequence[Outcome], detail: Detail, at_once: int) -> Result:
    """The table of all hosts, and the one command that goes on."""
    following = again(command, outcomes, at_once)
    document = {
        "ok": following is None,
        "hosts": [
            {
                "stack": one.stack,
                "result": one.result,
                "seconds": one.seconds,
                "downtime_ms": one.downtime_ms,
                "error": one.error or None,
                "document": one.document,
            }
            for one in outcomes
        ],
        "next": following,
    }
    rows = [
        (row.host, row.seconds, row.downtime, row.result, one.error or _detail(detail, one.document))
        for one, row in ((one, row_of_outcome(one)) for one in outcomes)
    ]
    host, _, *headings = HEADINGS
    lines = columns([(host, *headings, ""), *rows])
    lines += [f"next  {following}"] if following else []
    return Result(
        document,
        "\n".join(lines),
        ok=following is None,
        interrupted=any(one.result == "interrupted" for one in outcomes),
    )


def _detail(detail: Detail, document: Any) -> str:
    return detail(document) if isinstance(document, dict) else ""
