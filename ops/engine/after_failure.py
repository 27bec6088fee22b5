"""The state of the port and of Claude's entry after a run that failed, and the command that continues."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from components.verification import known_members
from console.errors import UserError
from console.progress import Progress
from ops.engine import host, state
from ops.engine.run import LockHeld
from settings import Settings

_USABLE = {True: "can use it", False: "cannot use it", None: "not checked"}


@contextmanager
def reported(stack: str, settings: Settings, resources: state.Resources, progress: Progress) -> Generator[None]:
    """The rows come before the failure's own sentence, so that the last line still names the cause."""
    try:
        yield
    except LockHeld:
        raise
    except UserError:
        for row in rows(stack, settings, resources):
            progress.line(row)
        raise


def rows(stack: str, settings: Settings, resources: state.Resources) -> list[str]:
    """`serving`, `claude` and `next`, as the run left the host; a host that does not answer is no second failure."""
    try:
        status = host.handover_status(stack, settings, resources)
        serving = f"{_holder(status)} has port {settings.sentinel.port}"
        claude = _claude(stack, settings, str(status["active"]))
    except (UserError, OSError) as error:
        serving, claude = f"not checked: {error}", "not checked"
    return [
        f"serving    {serving}",
        f"claude     {claude}",
        f"next       fix the cause below, then run `make up STACK={stack}`",
    ]


def _holder(status: Mapping[str, Any]) -> str:
    holder = cast("Mapping[str, str] | None", status["holder"])
    return f"{status['active']} ({holder['name']})" if holder else "nobody"


def _claude(stack: str, settings: Settings, active: str) -> str:
    """Of the serving gateway's entry; where Claude's file has the other one's alone, of that."""
    places = cast("Mapping[str, Mapping[str, str]]", known_members(settings)["claude"])
    first, *others = sorted(places, key=lambda gateway: gateway != active)
    found = host.run(stack, settings, "claude", "probe", places[first])
    answers = (host.run(stack, settings, "claude", "probe", places[other]) for other in others)
    best = found if found["usable"] else next((answer for answer in answers if answer["usable"]), found)
    return f"{_USABLE[best['usable']]}: {best['detail']}"
