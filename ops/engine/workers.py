"""Processes on the stack's host that run verbs of `hostctl` one after the other, kept for a command's next question.

Owns: as many workers a host as a command asks at once (`hostctl/worker.py`), until the command ends.
Deliberately does not: know a verb, or repeat a request that a worker has taken.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from console.errors import UserError
from console.paths import ROOT
from hostctl.build import WORKING, archive
from hostctl.core.packing import packed

PROGRAM = ("-I", "-S", "-c", WORKING)
"""The arguments of the host's Python that make it a worker."""


@dataclass(frozen=True)
class Answer:
    """The output of a verb and its exit code; of a worker that ended, its own."""

    code: int
    stdout: str
    stderr: str


class Worker:
    """One process on the host, at one verb at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process ends
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, cwd=ROOT
            )
        except FileNotFoundError as error:
            raise UserError(f"{error.filename} is not on this machine: install it, then run again.") from None
        self._has_program = False

    @property
    def lives(self) -> bool:
        """False once the process has ended, as after a lost connection."""
        return self._process.poll() is None

    def answer(self, verb: Sequence[str], document: str, limit_seconds: float) -> Answer:
        """The verb's answer; raises TimeoutError when none comes in time."""
        late = threading.Event()
        timer = threading.Timer(limit_seconds, lambda: (late.set(), self._process.kill()))
        timer.start()
        try:
            line = self._answered(json.dumps({"verb": list(verb), "document": document}).encode())
        finally:
            timer.cancel()
        if late.is_set():
            raise TimeoutError
        if line:
            return Answer(**json.loads(line))
        code = self._process.wait()
        self._stderr.seek(0)
        return Answer(code or 1, "", self._stderr.read().decode(errors="replace"))

    def abandon(self) -> None:
        """End the process without its answer; the verb on the host goes on."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """End the process, which is at no verb."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream
            with contextlib.suppress(OSError):
                stream.close()
        self._process.wait()
        self._stderr.close()

    def _answered(self, request: bytes) -> bytes:
        """The line that answers; empty when the process has ended instead."""
        assert self._process.stdin and self._process.stdout
        lines = [request] if self._has_program else [_program(), request]
        self._has_program = True
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(b"".join(line + b"\n" for line in lines))
            self._process.stdin.flush()
        return self._process.stdout.readline()


_idle: defaultdict[tuple[str, ...], list[Worker]] = defaultdict(list)
_lock = threading.Lock()


def answer(command: Sequence[str], verb: Sequence[str], document: str, limit_seconds: float) -> Answer:
    """The answer of a worker that this command line starts, or has started; raises TimeoutError."""
    worker = _taken(tuple(command)) or Worker(command)
    try:
        given = worker.answer(verb, document, limit_seconds)
    except BaseException:
        worker.abandon()
        raise
    with _lock:
        _idle[tuple(command)].append(worker)
    return given


@atexit.register
def close() -> None:
    """End every idle worker, as before the host itself goes away."""
    with _lock:
        workers = [worker for idle in _idle.values() for worker in idle]
        _idle.clear()
    for worker in workers:
        worker.close()


def _taken(command: tuple[str, ...]) -> Worker | None:
    with _lock:
        while _idle[command]:
            worker = _idle[command].pop()
            if worker.lives:
                return worker
            worker.close()
    return None


@functools.cache
def _program() -> bytes:
    return packed(archive())
