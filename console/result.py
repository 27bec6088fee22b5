"""A command's result: a document for scripts, a text for a person, and whether it is a success."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """`document` goes to stdout with JSON=1, `text` without; the exit status is 0 only when `ok`.

    `interrupted`: Ctrl-C ended the command, and the exit status says so.
    """

    document: Any
    text: str
    ok: bool = True
    interrupted: bool = False
