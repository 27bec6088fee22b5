"""The git work tree that tracks a file, found without git: an edit of ours would show up in the operator's next commit.

Source: git's index-format(5). The index names each file; in version 4 names are abbreviated, and every file counts.
"""

from __future__ import annotations

import os

_ABBREVIATED = 4


def tracking(path: str) -> str:
    """The folder of the work tree that tracks the file, empty where none does."""
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    while folder != os.path.dirname(folder):
        mark = os.path.join(folder, ".git")
        if os.path.exists(mark):
            return folder if _names(mark, os.path.relpath(path, folder)) else ""
        folder = os.path.dirname(folder)
    return ""


def _names(mark: str, name: str) -> bool:
    try:
        if os.path.isfile(mark):
            # A linked work tree: "gitdir: PATH".
            with open(mark, encoding="utf-8", errors="replace") as file:
                mark = os.path.join(os.path.dirname(mark), file.read().partition(": ")[2].strip())
        with open(os.path.join(mark, "index"), "rb") as file:
            index = file.read()
    except OSError:
        return False
    return int.from_bytes(index[4:8], "big") >= _ABBREVIATED or b"%s\0" % os.fsencode(name) in index
