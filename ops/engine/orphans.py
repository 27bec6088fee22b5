"""Docker objects that a killed run made and that the state does not have: known by the run's start and by their names.

Owns: the note of the start, and the sentences. Deliberately does not: decide on one; `hostctl orphans remove` does.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from console.paths import WORK
from console.progress import Progress
from ops.engine import host, state
from settings import Settings
from settings.names import EDGE_NETWORK, INTERNAL_NETWORK


def _began(stack: str) -> Path:
    """The file with the start of the stack's last run from here, in seconds since 1970."""
    return WORK / f"began-{stack}"


def note_beginning(stack: str) -> None:
    """Keep the time at which the engine's update begins."""
    WORK.mkdir(parents=True, exist_ok=True)
    _began(stack).write_text(str(int(time.time())), encoding="utf-8")


def last_beginning(stack: str) -> int:
    """The moment of the last note, 0 without one; another value than before shows that an update has begun since."""
    return _began(stack).stat().st_mtime_ns if _began(stack).exists() else 0


def begun(pending: Sequence[state.Operation]) -> list[str]:
    """The names on the host of what the killed run had begun to create."""
    creating = [operation["resource"] for operation in pending if operation["type"] == "creating"]
    inputs = [cast("Mapping[str, Any]", resource.get("inputs") or {}) for resource in creating]
    return [str(known["name"]) for known in inputs if known.get("name")]


def remove(
    stack: str, settings: Settings, resources: state.Resources, names: Sequence[str], progress: Progress
) -> None:
    """Remove the containers and networks that the killed run made under these names; what else is ours is named."""
    known = [str(resource["id"]) for resource in resources if resource.get("id")]
    began = _began(stack)
    document = {
        "known": known,
        "networks": [INTERNAL_NETWORK, EDGE_NETWORK],
        "pending": list(names),
        "began": int(began.read_text(encoding="utf-8") or 0) if began.exists() else 0,
        "port": settings.sentinel.port,
    }
    answer = host.run(stack, settings, "orphans", "remove", document)
    for name in answer["kept"]:
        progress.line(
            f"{name} is not in the state, and is in use or not certainly of the killed run: it stays. Where nothing "
            "needs it, remove it by hand (docs/runbook.md#hostctl-orphans-remove)."
        )
    for name in answer["removed"]:
        progress.line(f"{name} was made by a run that was killed before it could record it; removed, to be made again.")
