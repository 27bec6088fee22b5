"""The handover's journal: each step is on disk before it is taken, so that a killed run can be finished or undone.

Owns: `in-progress.jsonl` (one line a point, each synced before its step), `state.json` (the last finished one), the
`finished` folder, and `reserve`, whose blocks a full disk gives to the journal. States of an entry: in progress ->
finalized (one rename); a failed undo leaves it in progress. All of it can be read with `cat`.
Deliberately does not: read the containers.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from hostctl.core import atomic_file, folders
from hostctl.core.documents import parsed
from hostctl.core.timestamps import now

KEPT_ENTRIES = 20
FINISHED = "finished"
RESERVE = "reserve"
RESERVE_BYTES = 1 << 20
"""A handover writes some 30 kB; others who write to the full disk may be quicker to take what is freed."""
Written = TypeVar("Written")
# For tests only: the process kills itself (SIGKILL) right after this point has been written and synced.
DIE_AT = "HOSTCTL_DIE_AT"


@dataclass
class Entry:
    """One handover in progress; `opening` holds verb, container, request and the undo.

    `attempts` are those of the downtime probe; they are written once, with the result, and never inside the window.
    """

    journal: Journal
    opening: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=lambda: [])
    attempts: list[list[Any]] = field(default_factory=lambda: [])

    def point(self, name: str, tolerant: bool = False, **facts: Any) -> None:
        """Write and sync one line; `tolerant` lets an undo go on where it cannot be written."""
        try:
            self.journal.append({"point": name, "at": now(), **facts})
        except OSError:
            if not tolerant:
                raise
        self.lines.append({"point": name, **facts})
        _die_here(name)

    def first(self, part: str) -> dict[str, Any] | None:
        """The first line whose point has `part` between dots."""
        return next((line for line in self.lines if part in line["point"].split(".")), None)


class Journal:
    """The journal in one folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.path = os.path.join(folder, "in-progress.jsonl")
        self.state_path = os.path.join(folder, "state.json")

    def begin(self, opening: dict[str, Any]) -> Entry:
        """Register the change and its undo; raises OSError, and then nothing has been done.

        A cutover begins only with the reserve that its rollback may need.
        """
        opening = {**opening, "point": f"{opening['verb']}.begin", "at": now()}
        folders.make(self.folder, 0o750)
        if opening["verb"] == "cutover":
            self._reserve()
        self._write(self.path, _line(opening))
        _die_here(opening["point"])
        return Entry(self, opening)

    def unfinished(self) -> Entry | None:
        """The entry of a killed run; a last line that was torn by the kill does not count."""
        lines = _lines(self.path)
        return Entry(self, lines[0], lines[1:]) if lines else None

    def resume(self, entry: Entry, verb: str) -> Entry:
        """Continue a killed run's entry, without its torn line."""
        lines = [entry.opening, *entry.lines]
        self._write(self.path, b"".join(_line(line) for line in lines))
        entry.point(f"{verb}.resume")
        return entry

    def append(self, line: dict[str, Any]) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            left = _line(line)
            while left:
                # A disk that becomes full takes a part and refuses the other one.
                left = left[self._spaced(partial(os.write, handle, left)) :]
            self._spaced(partial(os.fdatasync, handle))
        finally:
            os.close(handle)

    def state(self) -> dict[str, Any]:
        """The last finished handover, empty when there was none."""
        try:
            with open(self.state_path, encoding="utf-8") as file:
                return parsed(file.read()) or {}
        except FileNotFoundError:
            return {}

    def finished(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Name and lines of each entry that ended and is kept, newest first."""
        folder = os.path.join(self.folder, FINISHED)
        try:
            names = sorted(os.listdir(folder), reverse=True)
        except FileNotFoundError:
            return []
        entries = [(name, _lines(os.path.join(folder, name))) for name in names]
        return [(name, lines) for name, lines in entries if lines]

    def finalize(self, entry: Entry, state: dict[str, Any]) -> None:
        """Write the new state, then close the entry by one rename; the state says where the operator forced it."""
        verb = entry.opening["verb"]
        if entry.opening.get("request", {}).get("force"):
            state = {**state, "force": True}
        entry.point(f"{verb}.finalize", result=state)
        self._write(self.state_path, (json.dumps(state, indent=2) + "\n").encode())
        entry.point(f"{verb}.state")
        self.close(entry, "done")

    def close(self, entry: Entry, outcome: str) -> None:
        """Move the entry to the finished ones and remove the oldest beyond KEPT_ENTRIES."""
        finished = os.path.join(self.folder, FINISHED)
        self._spaced(partial(folders.make, finished, 0o750))
        stamp = entry.opening["at"].replace(":", "").replace(".", "")
        kept = os.path.join(finished, f"{stamp}-{entry.opening['verb']}-{outcome}.jsonl")
        self._spaced(partial(os.rename, self.path, kept))
        atomic_file.sync_folder(self.folder)
        for name in sorted(os.listdir(finished))[:-KEPT_ENTRIES]:
            os.unlink(os.path.join(finished, name))

    def _reserve(self) -> None:
        path = os.path.join(self.folder, RESERVE)
        if not os.path.exists(path):
            # Written, since a file that is only made longer has no blocks.
            atomic_file.write(path, bytes(RESERVE_BYTES), mode=0o600)

    def _write(self, path: str, content: bytes) -> None:
        self._spaced(partial(atomic_file.write, path, content, mode=0o640))

    def _spaced(self, write: Callable[[], Written]) -> Written:
        """The write's result; where the disk is full it is tried again in the reserve's blocks."""
        try:
            return write()
        except OSError as error:
            if error.errno not in atomic_file.DISK_FULL:
                raise
            try:
                os.unlink(os.path.join(self.folder, RESERVE))
            except FileNotFoundError:
                raise error from None
            return write()


def _lines(path: str) -> list[dict[str, Any]]:
    """The whole lines of an entry's file, none where there is no file."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = [parsed(text) for text in file]
    except FileNotFoundError:
        return []
    return [line for line in lines if line is not None and "point" in line]


def _line(values: dict[str, Any]) -> bytes:
    return (json.dumps(values) + "\n").encode()


def _die_here(name: str) -> None:
    if os.environ.get(DIE_AT) == name:
        os.kill(os.getpid(), signal.SIGKILL)
