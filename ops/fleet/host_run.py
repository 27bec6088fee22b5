"""One stack's command in a process of its own, with its output in files.

A process and not a thread: the engine's Ctrl-C, the variables of a stack and its sandbox belong to a whole process.
Files and not pipes: a run whose fleet was killed goes on to its own end.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Literal

from console.paths import LOGS, ROOT
from ops.fleet import progress_of
from ops.fleet.progress_of import Seen

Ending = Literal["ok", "failed", "interrupted", "not started"]

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C ended (ops/__main__.py)."""


@dataclass(frozen=True)
class Outcome:
    """The end of one stack's run; `document` is the command's own, and `error` its sentence where it failed."""

    stack: str
    result: Ending
    seconds: float = 0.0
    downtime_ms: int | None = None
    document: Any = None
    error: str = ""


class HostRun:
    """A run under way. Its end is put into `ended` by its stack's name."""

    def __init__(self, command: str, stack: str, ended: queue.SimpleQueue[str]) -> None:
        self.stack = stack
        self.seen = Seen()
        self.began = time.monotonic()
        self._interrupted = False
        folder = LOGS / f"fleet-{command}"
        folder.mkdir(parents=True, exist_ok=True)
        self._document, self.log = folder / f"{stack}.json", folder / f"{stack}.log"
        with self._document.open("wb") as document, self.log.open("wb") as log:
            self._child = subprocess.Popen(
                command_line(command, stack),
                stdin=subprocess.DEVNULL,
                stdout=document,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
            )
        self._read_to, self._rest = 0, b""
        threading.Thread(target=self._wait, args=(ended,), daemon=True).start()

    def follow(self) -> None:
        """Read what the command has written since the last call."""
        with self.log.open("rb") as log:
            log.seek(self._read_to)
            new = log.read()
        self._read_to += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            self.seen = progress_of.after(self.seen, line.decode(errors="replace"))

    def interrupt(self) -> None:
        """Ctrl-C as a terminal sends it: to the command and its group, of which the engine is none."""
        self._interrupted = True
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGINT)

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def outcome(self) -> Outcome:
        """The run's end; only once it has ended."""
        self.follow()
        code = self._child.returncode
        document = self._result()
        result: Ending = "ok" if code == 0 else "failed"
        if self._interrupted and (code == INTERRUPTED or code < 0):
            result = "interrupted"
        return Outcome(
            self.stack,
            result,
            round(self.seconds(), 1),
            _downtime(document, self.seen),
            document,
            "" if code == 0 else self._error(document),
        )

    def _wait(self, ended: queue.SimpleQueue[str]) -> None:
        self._child.wait()
        ended.put(self.stack)

    def _result(self) -> Any:
        try:
            return json.loads(self._document.read_text(encoding="utf-8"))
        except ValueError:
            return None

    def _error(self, document: Any) -> str:
        """The command's own sentence; else the last line that it wrote, or its exit status."""
        if isinstance(document, dict) and "error" in document:
            return str(document["error"])  # type: ignore[reportUnknownArgumentType]
        if document is not None:
            return ""
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1] if said else f"it ended with exit status {self._child.returncode} and said nothing"


def command_line(command: str, stack: str) -> list[str]:
    """The single stack's command, as `make` runs it."""
    yes = ["--yes"] if command in ("up", "rollback") else []
    return [sys.executable, "-m", "ops", command, "--stack", stack, "--json", *yes]


def _downtime(document: Any, seen: Seen) -> int | None:
    own = document.get("downtime_ms") if isinstance(document, dict) else None  # type: ignore[reportUnknownMemberType]
    return own if isinstance(own, int) else seen.downtime_ms
