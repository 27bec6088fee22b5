"""The backends as `verify` asks them: `verify.plan.Question`, one a backend, in the settings' order.

Owns: which settings of a backend `verify` needs, and how long one of its calls may take. Deliberately does not: hand
on its environment or its secrets.
"""

from __future__ import annotations

from settings import Backend, Settings
from settings.cross_checks import call_seconds
from settings.live_rules import is_switched_off

__all__ = ["questions"]


def questions(settings: Settings) -> list[dict[str, object]]:
    """One harmless call a backend, with its limit, its expectation and what allowed_failures it."""
    disabled = list(settings.sentinel.kill_switch.disabled_tools)
    return [
        {
            "name": one.name,
            "tool": one.tool,
            "arguments": one.arguments,
            "expect": one.expect.model_dump(mode="json"),
            "timeout_seconds": call_seconds(settings, one),
            "optional": one.optional or is_switched_off(settings, one),
            "allowed_failure": one.allowed_failure,
            # Of every backend, since only the running gateway knows whose tool it is.
            "disabled_tools": disabled,
            "reason": _reason(settings, one),
            "needs_internet": one.needs_internet,
            "upstream_hosts": list(one.upstream_hosts),
        }
        for one in settings.backends
    ]


def _reason(settings: Settings, backend: Backend) -> str:
    """Why it may fail, for the report. Whoever switched a backend off does not expect it to answer."""
    return "switched off by sentinel.kill_switch" if is_switched_off(settings, backend) else backend.reason or ""
