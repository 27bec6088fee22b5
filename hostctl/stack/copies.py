"""`stack keep` and `stack copy`: sealed copies of the stack's state on its host, for the day it is lost elsewhere.

Owns: the folder `state-copies`, readable by the user who runs the cutover alone, and the rotation of what is in it.
Deliberately does not: open a copy; the passphrase never reaches the host.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import time
from dataclasses import dataclass
from typing import Any

from hostctl.core import atomic_file, folders
from hostctl.core.errors import Refusal

FOLDER = "state-copies"
KEPT = 10
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,150}\.sealed")


@dataclass(frozen=True)
class CopyRequest:
    """The product's folder, and a copy's name, whose text order is the order in time."""

    folder: str
    name: str

    def __post_init__(self) -> None:
        if not os.path.isabs(self.folder):
            raise Refusal("'folder' is a relative path: give an absolute one")
        if not _NAME.fullmatch(self.name):
            raise Refusal("'name' is no name of a copy: give a plain file name that ends in .sealed")


@dataclass(frozen=True)
class KeepRequest(CopyRequest):
    """The copy's content in base64."""

    content: str = ""


def keep(request: KeepRequest) -> dict[str, Any]:
    """Write the copy and remove the oldest beyond KEPT; the one just written always stays. Raises Refusal."""
    try:
        content = base64.b64decode(request.content, validate=True)
    except (ValueError, binascii.Error):
        raise Refusal("'content' is not base64: give the sealed copy in base64") from None
    folder = os.path.join(request.folder, FOLDER)
    folders.make_exactly(folder, 0o700)
    atomic_file.write(os.path.join(folder, request.name), content, 0o600)
    others = [name for name in _names(request.folder) if name != request.name]
    removed = others[KEPT - 1 :]
    for name in removed:
        os.unlink(os.path.join(folder, name))
    return {"kept": [request.name, *others[: KEPT - 1]], "removed": removed}


def copy(request: CopyRequest) -> dict[str, Any]:
    """{"name", "content" in base64}; raises Refusal for a copy that is not there."""
    path = os.path.join(request.folder, FOLDER, request.name)
    try:
        with open(path, "rb") as file:
            return {"name": request.name, "content": base64.b64encode(file.read()).decode("ascii")}
    except FileNotFoundError:
        raise Refusal(f"there is no copy {request.name} in {os.path.dirname(path)}: run `make adopt` again") from None


def listed(folder: str) -> list[dict[str, Any]]:
    """{"name", "at"} of each copy, newest first; none where this user may not list the folder."""
    rows: list[dict[str, Any]] = []
    for name in _names(folder):
        try:
            written = os.stat(os.path.join(folder, FOLDER, name)).st_mtime
        except OSError:
            continue
        rows.append({"name": name, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(written))})
    return rows


def _names(folder: str) -> list[str]:
    """Newest first, by the time in the name."""
    try:
        names = os.listdir(os.path.join(folder, FOLDER))
    except OSError:
        return []
    return sorted((name for name in names if _NAME.fullmatch(name)), key=_moment, reverse=True)


def _moment(name: str) -> str:
    """`20261126T031700Z` in `prod-20261126T031700Z.sealed`, so that stacks of two names sort by time."""
    return name.removesuffix(".sealed").rpartition("-")[2]
