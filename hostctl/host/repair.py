"""`unfinished show|repair|drop`: a rollback's undone deletes, listed, done again, or dropped after a cutover."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

from hostctl.core.documents import parsed
from hostctl.core.errors import sentence_of
from hostctl.core.unfinished import FOLDER
from hostctl.verbs import DEPENDENT_DELETES, VERBS, function, request_of


@dataclass(frozen=True)
class FolderRequest:
    """The product's folder."""

    folder: str


def show(request: FolderRequest) -> dict[str, Any]:
    """{"unfinished": [{"verb", "at", "reason"}]}: the deletes that are still to be done."""
    kept = _kept(request)
    return {"unfinished": [{key: entry.get(key, "") for key in ("verb", "at", "reason")} for entry in kept.values()]}


def repair(request: FolderRequest) -> dict[str, Any]:
    """{"done": verbs, "left": sentences}: each recorded delete run again; what fails again stays recorded."""
    done: list[str] = []
    left: list[str] = []
    for path, entry in _kept(request).items():
        verb = str(entry.get("verb", ""))
        first, _, action = verb.partition(" ")
        name = (first, action)
        if name not in DEPENDENT_DELETES:
            continue
        run = function(VERBS[name])
        try:
            run(request_of(run, str(entry.get("request", ""))))
        except Exception as error:
            left.append(f"{verb} is still not done: {sentence_of(error)}")
        else:
            done.append(verb)
            os.unlink(path)
    return {"done": done, "left": left}


def drop(request: FolderRequest) -> dict[str, Any]:
    """Remove the records, which are out of date after a cutover: it created what they were to delete."""
    for path in _kept(request):
        os.unlink(path)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.join(request.folder, FOLDER))
    return {"dropped": True}


def _kept(request: FolderRequest) -> dict[str, dict[str, Any]]:
    """Each record by its path."""
    folder = os.path.join(request.folder, FOLDER)
    try:
        paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".json")]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    kept: dict[str, dict[str, Any]] = {}
    for path in paths:
        with open(path, "rb") as file:
            kept[path] = parsed(file.read()) or {}
    return kept
