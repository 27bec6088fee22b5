"""The grace period of the predecessor's token on the stack's host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.base.handover_members import grace_members
from ops.engine import host
from settings import Settings


def use(stack: str, settings: Settings) -> dict[str, Any]:
    """{"open", "until", "sessions", "calls", "last_use"}: the counts since the serving container started."""
    token = settings.health_token
    document = {
        "folder": grace_members(settings)["folder"],
        "health_port": settings.sentinel.health_port,
        "health_token": token.get_secret_value() if token else "",
    }
    return host.run(stack, settings, "grace", "show", document)


def end(stack: str, settings: Settings) -> dict[str, Any]:
    """End it now. {"ended", "until"}"""
    return host.run(stack, settings, "grace", "end", grace_members(settings))


def sentences(used: Mapping[str, Any]) -> Sequence[str]:
    """One sentence for a person; none where there has been no grace period."""
    if not used["until"]:
        return ()
    if not used["open"]:
        return (f"ended at {used['until']}: ContextForge's token is refused",)
    if used["calls"] is None:
        return (f"until {used['until']}, once Sentinel serves",)
    last = f", last at {used['last_use']}" if used["last_use"] else ""
    counts = f"{used['sessions']} sessions and {used['calls']} calls with ContextForge's token{last}"
    return (f"until {used['until']}: {counts} (make end-grace)",)
