"""The gateway's log on stderr: `TIME LEVEL module: text key=value`.

Owns: the format, with ANSI colours even into a file unless NO_COLOR is set, and the level.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

_LEVELS = {"TRACE": "35", "DEBUG": "34", "INFO": "32", "WARN": "33", "ERROR": "31"}
_ROOT = "sentinel_gateway"


class Log:
    """One module's lines."""

    least = "INFO"

    def __init__(self, module: str = "") -> None:
        self._module = f"{_ROOT}::{module}" if module else _ROOT

    @classmethod
    def of(cls, library: str) -> Log:
        """The lines of a library's module."""
        log = cls()
        log._module = library
        return log

    def debug(self, text: str, **fields: object) -> None:
        self._write("DEBUG", text, fields)

    def info(self, text: str, **fields: object) -> None:
        self._write("INFO", text, fields)

    def warn(self, text: str, **fields: object) -> None:
        self._write("WARN", text, fields)

    def error(self, text: str, **fields: object) -> None:
        self._write("ERROR", text, fields)

    def _write(self, level: str, text: str, fields: dict[str, object]) -> None:
        order = list(_LEVELS)
        if order.index(level) < order.index(Log.least):
            return
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        written = "".join(f" {_styled('3', key)}{_styled('2', '=')}{value}" for key, value in fields.items())
        head = f"{_styled('2', time)} {_styled(_LEVELS[level], level.rjust(5))} {_styled('2', self._module)}"
        print(f"{head}{_styled('2', ':')} {text}{written}", file=sys.stderr, flush=True)


def set_level(name: str) -> None:
    """Take a level by its name; one that is none is `info`."""
    Log.least = name.upper() if name.upper() in _LEVELS else "INFO"


def _styled(code: str, text: str) -> str:
    return text if os.environ.get("NO_COLOR") else f"\x1b[{code}m{text}\x1b[0m"
