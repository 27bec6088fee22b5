"""`unfinished show|repair|drop`: undone deletes, listed, done again, or dropped after a cutover.

The removal of a folder that has been written again since is no longer due: `declared` are the folders of today's state.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

from hostctl.core import json_file
from hostctl.core.documents import parsed
from hostctl.core.errors import sentence_of
from hostctl.core.unfinished import FOLDER
from hostctl.verbs import REPAIRED, VERBS, function, request_of


@dataclass(frozen=True)
class FolderRequest:
    """The product's folder, and the folders of files that the state has now."""

    folder: str
    declared: tuple[str, ...] = ()


def show(request: FolderRequest) -> dict[str, Any]:
    """{"unfinished": [{"verb", "at", "reason"}]}: the deletes that are still to be done."""
    due = [entry for entry in _kept(request).values() if _folder_of(entry) not in request.declared]
    return {"unfinished": [{key: entry.get(key, "") for key in ("verb", "at", "reason")} for entry in due]}


def repair(request: FolderRequest) -> dict[str, Any]:
    """{"done": verbs, "left": sentences}: each recorded delete run again; what fails again stays recorded."""
    done: list[str] = []
    left: list[str] = []
    for path, entry in _kept(request).items():
        verb = str(entry.get("verb", ""))
        first, _, action = verb.partition(" ")
        name = (first, action)
        if name not in REPAIRED:
            continue
        if _folder_of(entry) in request.declared:
            os.unlink(path)
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
    """Remove the records that are out of date after a cutover, which created what they were to delete.

    Files that a container used stay recorded: they are another container's than the one that serves now.
    """
    for path, entry in _kept(request).items():
        if not _folder_of(entry):
            os.unlink(path)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.join(request.folder, FOLDER))
    return {"dropped": True}


def _folder_of(entry: dict[str, Any]) -> str:
    """The folder of files that a record is about, empty for a record of another verb."""
    if entry.get("verb") != "files remove":
        return ""
    return str((parsed(str(entry.get("request", ""))) or {}).get("folder", ""))


def _kept(request: FolderRequest) -> dict[str, dict[str, Any]]:
    """Each record by its path."""
    folder = os.path.join(request.folder, FOLDER)
    try:
        paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".json")]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {path: json_file.read(path) or {} for path in paths}
