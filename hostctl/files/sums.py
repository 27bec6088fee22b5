"""The sums of a container's files as they were written, so that an edit by hand is found without their contents.

Owns: `written/FOLDER.json` beside the folder of files, readable by its owner alone.
Deliberately does not: hold a content, or find an edit of a file that comes and goes while its container runs.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from typing import Any

from hostctl.core import json_file
from hostctl.core.documents import table

FOLDER = "written"


def keep(folder: str, contents: Mapping[str, bytes]) -> None:
    """Note the files as they are now, with these contents. Raises OSError."""
    facts = {name: _facts(os.path.join(folder, name), content) for name, content in contents.items()}
    json_file.write(_path(folder), facts, 0o600, 0o700)


def forget(folder: str) -> None:
    json_file.remove(os.path.dirname(_path(folder)), os.path.basename(_path(folder)))


def edited(folder: str) -> list[str]:
    """The paths of the folder's files that are no longer as they were written; one that cannot be read is left out."""
    try:
        written = json_file.read(_path(folder)) or {}
        return [path for name, facts in sorted(written.items()) if _differs(path := os.path.join(folder, name), facts)]
    except OSError:
        return []


def _differs(path: str, facts: Any) -> bool:
    try:
        with open(path, "rb") as file:
            return _facts(path, file.read()) != table(facts)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _facts(path: str, content: bytes) -> dict[str, Any]:
    status = os.stat(path)
    digest = hashlib.sha256(content).hexdigest()
    return {"sha256": digest, "mode": stat.S_IMODE(status.st_mode), "uid": status.st_uid, "gid": status.st_gid}


def _path(folder: str) -> str:
    return os.path.join(os.path.dirname(folder), FOLDER, f"{os.path.basename(folder)}.json")
