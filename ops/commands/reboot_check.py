"""`make reboot-check`: before a boot of the host it writes the marker anew, after the boot it prints what was found.

Owns: asking the host, waiting for a check that is at work, the table.
Deliberately does not: restart the host, or check anything itself. The host does that after each boot, asked or not
(`hostctl reboot-check check`), for nobody may be there to ask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from console.errors import UserError
from console.progress import Progress
from console.result import Result
from hostctl.reboot_check.message import sentence
from ops.commands import verify
from ops.engine import host
from ops.engine.run import open_stack
from settings import Settings

POLL_SECONDS = 2.0
Ask = Callable[[str], dict[str, Any]]
"""A word of `hostctl reboot`, to its answer."""


def reboot_check(stack: str, progress: Progress, *, again: bool) -> Result:
    """Exit status 0 only when the host has booted since the marker and everything came back."""
    opened = open_stack(stack, progress, create=False)
    settings = verify.settings_of(opened, stack)
    if not settings.reboot.enabled:
        raise UserError(f"Stack {stack} has reboot.enabled false, so its host checks nothing after a boot.")

    def ask(word: str) -> dict[str, Any]:
        return host.run(stack, settings, "reboot", word, {"folder": f"{settings.host.folder}/reboot"})

    return asked(stack, settings, ask, progress, again=again)


def asked(stack: str, settings: Settings, ask: Ask, progress: Progress, *, again: bool) -> Result:
    """The same, of a host that is known."""
    shown = _when_done(ask, progress, settings.reboot.limit_seconds + 60)
    if not shown["armed"]:
        raise UserError(f"The host of stack {stack} has no check after a boot yet: `make up STACK={stack}` sets it up.")
    if shown["overdue"] and not again:
        told = (
            f"The host of stack {stack} has booted since {shown['marked_at']} and checked nothing: look whether its "
            "systemd or cron runs sentinel-cutover-reboot-check."
        )
        raise UserError(told)
    if shown["result"] is None or again:
        marked = ask("mark")
        text = (
            f"The marker is written: {len(marked['watched'])} containers must come back.\n"
            f"Restart the host now, then `make reboot-check STACK={stack}` again."
        )
        document = {"ok": False, "state": "marked", "marked_at": marked["marked_at"], "watched": marked["watched"]}
        return Result(document, text, ok=False)
    result: Mapping[str, Any] = shown["result"]
    return Result({"state": "checked", **result}, _text(result), ok=bool(result["ok"]))


def _when_done(ask: Ask, progress: Progress, limit: float) -> dict[str, Any]:
    """What the host says when no check is at work, or after the limit."""
    end = time.monotonic() + limit
    shown = ask("show")
    if shown["running"]:
        progress.line("The host is checking itself; waiting for it …")
    while shown["running"] and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        shown = ask("show")
    return shown


def _text(result: Mapping[str, Any]) -> str:
    rows = [f"{one['part']:<11} {'ok' if one['ok'] else 'NOT OK':<7} {one['detail']}" for one in result["parts"]]
    return "\n".join([*rows, sentence(dict(result)), f"Discord     {result.get('message', 'being sent')}"])
