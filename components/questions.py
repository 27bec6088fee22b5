"""The backends as `verify` asks them: `verify.plan.Question`, one a backend, in the settings' order.

Owns: which settings of a backend `verify` needs. Deliberately does not: hand on its environment or its secrets.
"""

from __future__ import annotations

from components.settings import Settings

__all__ = ["questions"]


def questions(settings: Settings) -> list[dict[str, object]]:
    """One harmless call a backend, with its limit, its expectation and what excuses it."""
    return [
        {
            "name": one.name,
            "tool": one.tool,
            "arguments": one.arguments,
            "expect": one.expect.model_dump(mode="json"),
            "timeout_seconds": one.timeout_seconds,
            "optional": one.optional,
            "known_broken": one.known_broken,
            "reason": one.reason or "",
            "needs_internet": one.needs_internet,
            "upstream_hosts": list(one.upstream_hosts),
        }
        for one in settings.backends
    ]
