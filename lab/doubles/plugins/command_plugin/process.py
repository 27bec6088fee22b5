"""Runs a child to its end, sending its output on line by line.

Owns: capture, echo into the engine's progress, the end of every child when the engine cancels.
Deliberately does not: know what is run, or where.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.doubles.plugins.frame.serve import PluginError

_GRACE_SECONDS = 3


@dataclass(frozen=True)
class Output:
    """A child's output, each stream without its final newline."""

    stdout: str
    stderr: str


class Children:
    """The children under way; each has a session of its own, so that its whole group can be ended."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._ending = False

    def run(
        self,
        argv: Sequence[str],
        *,
        what: str,
        stdin: bytes,
        environment: Mapping[str, str],
        folder: Path | None,
        echo_stdout: Callable[[str], None] | None,
        echo_stderr: Callable[[str], None] | None,
        exited: str = "exit status",
    ) -> Output:
        """Raises `PluginError` with all the child wrote when it fails, worded as the published plugin does."""
        child = self._start(argv, what, environment, folder)
        both: list[bytes] = []
        captured: tuple[list[bytes], list[bytes]] = ([], [])
        pumps = [
            threading.Thread(target=_pump, args=(stream, kept, both, echo))
            for stream, kept, echo in zip(
                (child.stdout, child.stderr), captured, (echo_stdout, echo_stderr), strict=True
            )
        ]
        pumps.append(threading.Thread(target=_feed, args=(child.stdin, stdin)))
        for pump in pumps:
            pump.start()
        status = child.wait()
        for pump in pumps:
            pump.join()
        with self._lock:
            self._running.discard(child)
        if status != 0:
            reason = f"{exited} {status}" if status > 0 else f"signal: {signal.Signals(-status).name}"
            raise PluginError(f"{reason}: running {_quoted(what)}:\n{b''.join(both).decode(errors='replace')}")
        stdout, stderr = (b"".join(kept).decode(errors="replace").removesuffix("\n") for kept in captured)
        return Output(stdout, stderr)

    def end(self) -> None:
        with self._lock:
            self._ending = True
            running = list(self._running)
        for child in running:
            _signal_group(child, signal.SIGTERM)
        for child in running:
            try:
                child.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                _signal_group(child, signal.SIGKILL)

    def _start(
        self, argv: Sequence[str], what: str, environment: Mapping[str, str], folder: Path | None
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._ending:
                raise PluginError(f'"{what}" was not run: the engine has cancelled.')
            try:
                child = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=dict(environment),
                    cwd=folder,
                    start_new_session=True,
                )
            except OSError as error:
                raise PluginError(f"{error.strerror}: running {_quoted(what)}: {error.filename}") from error
            self._running.add(child)
            return child


def _quoted(command: str) -> str:
    """On one line, as Go quotes it."""
    return json.dumps(command, ensure_ascii=False)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return


def _pump(stream: IO[bytes], kept: list[bytes], both: list[bytes], echo: Callable[[str], None] | None) -> None:
    for line in stream:
        kept.append(line)
        both.append(line)
        if echo is not None:
            echo(line.decode(errors="replace").rstrip("\n"))


def _feed(stream: IO[bytes], content: bytes) -> None:
    # A command that reads no input closes early; that is its right.
    try:
        stream.write(content)
        stream.close()
    except BrokenPipeError:
        return
