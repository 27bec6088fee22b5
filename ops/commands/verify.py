"""`make verify`: one call per backend through Claude's own entry, whichever gateway has the port."""

from __future__ import annotations

from components.firewall import loopback_ports
from console.progress import Progress
from console.result import Result
from ops.engine.run import open_stack
from ops.engine.state import settings_of
from ops.engine.verification import verify_backends


def verify(stack: str, progress: Progress) -> Result:
    """Exit status 0 only when every backend answers; queries the host, not the engine."""
    settings = settings_of(open_stack(stack, progress, create=False), stack)
    return verify_backends(stack, settings, own_ports=loopback_ports(settings))
