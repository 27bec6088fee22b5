"""`make reboot-check`: renews the marker before a boot of the host, prints the check's result after it.

The host checks itself after each boot, without a command (`hostctl reboot-check check`): nobody may be there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from console.errors import UserError
from console.progress import Progress
from console.result import Result
from hostctl.reboot_check.message import sentence
from ops.engine import host
from ops.engine.run import open_stack
from ops.engine.state import settings_of
from settings import Settings
from settings.limits import AFTER_BOOT_SECONDS

POLL_SECONDS = 2.0
Query = Callable[[str], dict[str, Any]]
"""An action of `hostctl reboot-check`, to its answer."""


def reboot_check(stack: str, progress: Progress, *, again: bool) -> Result:
    """Exit status 0 when the marker was written, and after the boot only when everything came back."""
    opened = open_stack(stack, progress, create=False)
    settings = settings_of(opened, stack)
    if not settings.reboot.enabled:
        raise UserError(f"Stack {stack} has reboot.enabled false, so its host checks nothing after a boot.")

    def query(action: str) -> dict[str, Any]:
        return host.run(stack, settings, "reboot-check", action, {"folder": f"{settings.host.folder}/reboot"})

    return of_host(stack, settings, query, progress, again=again)


def of_host(stack: str, settings: Settings, query: Query, progress: Progress, *, again: bool) -> Result:
    """The result by the host's answers."""
    answer = _when_done(query, progress, AFTER_BOOT_SECONDS + 60)
    if not answer["armed"]:
        raise UserError(f"The host of stack {stack} has no check after a boot yet: `make up STACK={stack}` sets it up.")
    if answer["overdue"] and not again:
        raise UserError(
            f"The host of stack {stack} has booted since {answer['marked_at']} and checked nothing: see that its "
            "systemd or cron runs sentinel-cutover-reboot-check."
        )
    if answer["result"] is None or again:
        marked = query("mark")
        text = (
            f"The marker is written: {len(marked['watched'])} containers must come back.\n"
            f"Restart the host now, then `make reboot-check STACK={stack}` again."
        )
        document = {"ok": True, "state": "marked", "marked_at": marked["marked_at"], "watched": marked["watched"]}
        return Result(document, text)
    result: Mapping[str, Any] = answer["result"]
    return Result({"state": "checked", **result}, _text(result), ok=bool(result["ok"]))


def _when_done(query: Query, progress: Progress, limit: float) -> dict[str, Any]:
    """The host's answer once no check is at work, or after the limit."""
    end = time.monotonic() + limit
    answer = query("show")
    if answer["running"]:
        progress.line("The host's check is at work; waiting for it …")
    while answer["running"] and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        answer = query("show")
    return answer


def _text(result: Mapping[str, Any]) -> str:
    rows = [f"{part['part']:<11} {'ok' if part['ok'] else 'NOT OK':<7} {part['detail']}" for part in result["parts"]]
    return "\n".join([*rows, sentence(dict(result)), f"Discord     {result.get('message', 'being sent')}"])
