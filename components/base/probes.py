"""The backends' probes, derived once from the settings for baseline, gates, verification and reboot check.

Owns: which settings of a backend a probe needs, and its timeout. Deliberately does not: pass on its environment or its
secrets.
"""

from __future__ import annotations

from hostctl.mcp.probe import Expectation, Probe
from settings import Backend, Settings
from settings.limits import CALL_SECONDS
from settings.live_rules import is_switched_off


def probes(settings: Settings) -> tuple[Probe, ...]:
    """One probe for each backend, in the settings' order."""
    return tuple(_probe(settings, backend) for backend in settings.backends)


def _probe(settings: Settings, backend: Backend) -> Probe:
    # A backend that the operator switched off is not expected to answer.
    switched_off = is_switched_off(settings, backend)
    expect = backend.expect
    return Probe(
        name=backend.name,
        tool=backend.tool,
        arguments=backend.arguments,
        expect=Expectation(expect.contains, expect.excludes, expect.json_path or ""),
        timeout_seconds=min(backend.timeout_seconds, CALL_SECONDS),
        optional=backend.optional or switched_off,
        allowed_failure=backend.allowed_failure,
        reason="switched off by sentinel.kill_switch" if switched_off else backend.reason or "",
        # Every probe has all of them, since only the running gateway knows which backend each tool belongs to.
        disabled_tools=settings.sentinel.kill_switch.disabled_tools,
        needs_internet=backend.needs_internet,
        upstream_hosts=backend.upstream_hosts,
    )
