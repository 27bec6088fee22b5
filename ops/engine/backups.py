"""Backups of Sentinel's database by hand, on the stack's host, with the nightly job's own request."""

from __future__ import annotations

from typing import Any

from components.nightly import nightly_request
from console.progress import Progress
from hostctl.core import requests
from ops.engine import host
from ops.engine.run import open_stack
from ops.engine.state import deployed_outputs, settings_of
from settings import Settings

LIMIT_SECONDS = 2 * 3600
"""Limit of one command: enough to dump or restore a large database."""


def deployed_settings(stack: str, progress: Progress) -> Settings:
    """The settings of a stack that has a database; raises UserError for one that is not deployed."""
    opened = open_stack(stack, progress, create=False)
    deployed_outputs(opened, stack)
    return settings_of(opened, stack)


def run(stack: str, settings: Settings, action: str, **members: Any) -> dict[str, Any]:
    """The answer of `hostctl backup take`, `drill` or `restore`."""
    document = {**requests.write(nightly_request(settings)), **members}
    return host.run(stack, settings, "backup", action, document, limit_seconds=LIMIT_SECONDS)


def rows(counted: dict[str, int]) -> int:
    """Rows of all tables together."""
    return sum(counted.values())


def seconds(milliseconds: int) -> str:
    """Such as `1.2 s`."""
    return f"{milliseconds / 1000:.1f} s"
