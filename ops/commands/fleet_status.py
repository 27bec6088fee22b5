"""`make fleet-status`: one line for each host on who serves, whether it answers, and what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.progress import Progress
from console.result import Result
from ops.engine import rollback_proof
from ops.fleet.command import on_all


def fleet_status(stacks: Sequence[str], progress: Progress, *, at_once: int) -> Result:
    """Exit status 0 only when `make status` says so of every host."""
    return on_all("status", stacks, progress, _detail, at_once=at_once)


def _detail(document: Mapping[str, Any]) -> str:
    healthy = "every backend answers" if document["healthy"] else "not every backend answers"
    days, drift = document["token_days_left"], document["drift"]
    said = [
        f"{document['active']} since {document['since'] or 'before this stack'}",
        healthy,
        f"rollback {rollback_proof.sentence(document['rollback'])}",
        f"token {'none' if days is None else f'{days} days'}",
        f"drift: {'; '.join(drift) or 'none'}",
    ]
    return ", ".join(said)
