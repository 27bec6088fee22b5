"""`make fleet-verify`: one call per backend through the port of each host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.progress import Progress
from console.result import Result
from ops.fleet.command import on_all


def fleet_verify(stacks: Sequence[str], progress: Progress, *, at_once: int) -> Result:
    """Exit status 0 only when `make verify` says so of every host."""
    return on_all("verify", stacks, progress, _detail, at_once=at_once)


def _detail(document: Mapping[str, Any]) -> str:
    """The serving gateway, with every backend and every other check that is not ok, nor allowed to fail."""
    backends: Sequence[Mapping[str, Any]] = document.get("backends", ())
    failed = (one for one in backends if one["result"] != "ok" and "why_allowed" not in one)
    bad = [f"{backend['name']} {backend['result']}" for backend in failed]
    bad += [
        name
        for name, check in document.items()
        if isinstance(check, Mapping) and check.get("ok") is False  # type: ignore[reportUnknownMemberType]
    ]
    return f"{document.get('active')}: {', '.join(bad) or 'every backend answers'}"
