"""Progress of a command's long steps: their names and times, side by side, with children that end with them.

Deliberately does not: write to stdout, which belongs to a command's result.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from console.errors import UserError

REPORT_EVERY_SECONDS = 15.0
REDRAW_EVERY_SECONDS = 1.0
LAST_LINES = 15
SIGNALS_SEEN_EVERY_SECONDS = 0.2
"""A Ctrl-C in the instant before a wait begins does not interrupt it: on a busy machine it would be lost."""
END_WITHIN_SECONDS = 10.0


class StepFailed(UserError):
    """A step did not succeed; the end of its log has been shown already."""


@dataclass(frozen=True)
class LongStep:
    """A step that takes a while: its name for the operator, and the function that does it."""

    name: str
    run: Callable[[Step], None]


@dataclass
class Step:
    """A step under way: reports its work, keeps its log, runs its child processes."""

    name: str
    log: Path
    progress: Progress
    began: float = field(default_factory=time.monotonic)
    doing: str = ""

    def say(self, doing: str) -> None:
        """Report the step's present work, in a few words; shown while it lasts."""
        self.doing = doing
        self.write(f"-- {doing}")
        self.progress.changed()

    def write(self, line: str) -> None:
        """One line into the step's log."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(line.rstrip("\n") + "\n")

    def call(
        self,
        arguments: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        check: bool = True,
    ) -> int:
        """Run a child with its output in the log; `environment` is added to our own. Returns its exit code.

        Raises StepFailed when `check` and the exit code is not 0. The child gets a session of its own, so that Ctrl-C
        reaches it once, from us, in order.
        """
        argv = [str(argument) for argument in arguments]
        self.write("$ " + " ".join(argv))
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        with self.progress.owning(child):
            code = child.wait()
        if check and code:
            raise StepFailed(f"{self.name}: {Path(argv[0]).name} ended with exit code {code}, see {self.log}.")
        return code

    def seconds(self) -> float:
        return time.monotonic() - self.began


class Progress:
    """The steps of one command. Thread-safe."""

    def __init__(self, log_folder: Path, out: TextIO | None = None, report_every: float = REPORT_EVERY_SECONDS) -> None:
        self._out = out or sys.stderr
        self._terminal = self._out.isatty()
        self._log_folder = log_folder
        self._report_every = REDRAW_EVERY_SECONDS if self._terminal else report_every
        self._lock = threading.RLock()
        self._running: list[Step] = []
        self._children: set[subprocess.Popen[bytes]] = set()
        self._ending = False

    def line(self, text: str) -> None:
        """One line for the operator."""
        with self._lock:
            if self._terminal:
                self._out.write("\r\033[K")
            self._out.write(text.rstrip("\n") + "\n")
            self._out.flush()
            self._redraw()

    @contextmanager
    def step(self, name: str) -> Generator[Step]:
        """One named step: reported when it begins, every 15 s while it lasts, and when it ends."""
        self._log_folder.mkdir(parents=True, exist_ok=True)
        log = self._log_folder / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".log")
        log.write_text("", encoding="utf-8")
        step = Step(name, log, self)
        with self._lock:
            if self._ending:
                raise KeyboardInterrupt
            self._running.append(step)
        if not self._terminal:
            self.line(f"{name} …")
        done = threading.Event()
        reporter = threading.Thread(target=self._report, args=(step, done), daemon=True)
        reporter.start()
        try:
            yield step
        except BaseException as error:
            self._finish(step, done)
            if not isinstance(error, KeyboardInterrupt) and not self._ending:
                self._show_failure(step, error)
            raise
        self._finish(step, done)
        self.line(f"{name}: done in {_duration(step.seconds())}")

    def side_by_side(self, steps: Sequence[LongStep]) -> None:
        """Run all steps at once and wait for all of them; raises the first error after every step has ended.

        Ctrl-C (KeyboardInterrupt) ends the children of every step first.
        """
        errors: list[BaseException] = []
        # Events, since a `join` that a signal interrupted takes a running thread for ended (Python 3.11).
        ended = [threading.Event() for _ in steps]
        threads = [
            threading.Thread(target=self._run, args=(step, errors, event), daemon=True)
            for step, event in zip(steps, ended, strict=True)
        ]
        try:
            for thread in threads:
                thread.start()
            for event in ended:
                while not event.wait(SIGNALS_SEEN_EVERY_SECONDS):
                    continue
        except KeyboardInterrupt:
            self.end_children()
            for thread, event in zip(threads, ended, strict=True):
                if thread.ident is not None:
                    event.wait(END_WITHIN_SECONDS)
            raise
        if errors:
            raise errors[0]

    @contextmanager
    def owning(self, child: subprocess.Popen[bytes]) -> Generator[None]:
        """While inside, the child (leader of its own process group) is ended with us."""
        with self._lock:
            self._children.add(child)
            ending = self._ending
        try:
            if ending:
                _signal_group(child, signal.SIGTERM)
            yield
        except BaseException:
            _end_group([child])
            raise
        finally:
            with self._lock:
                self._children.discard(child)

    def end_children(self) -> None:
        """End every child that a step started: by SIGTERM, after 10 s by SIGKILL. No step starts afterwards."""
        with self._lock:
            self._ending = True
            children = list(self._children)
        _end_group(children)

    def changed(self) -> None:
        """A step's `doing` has changed: redraw where that can be seen."""
        with self._lock:
            self._redraw()

    def _run(self, long_step: LongStep, errors: list[BaseException], ended: threading.Event) -> None:
        try:
            with self.step(long_step.name) as step:
                long_step.run(step)
        except BaseException as error:
            errors.append(error)
        finally:
            ended.set()

    def _report(self, step: Step, done: threading.Event) -> None:
        while not done.wait(self._report_every):
            if self._terminal:
                self.changed()
            else:
                self.line(_described(step))

    def _finish(self, step: Step, done: threading.Event) -> None:
        done.set()
        with self._lock:
            self._running.remove(step)

    def _show_failure(self, step: Step, error: BaseException) -> None:
        last = step.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        with self._lock:
            self.line(f"{step.name}: failed after {_duration(step.seconds())}")
            for line in last:
                self.line(f"    {line}")
            if last and str(step.log) not in str(error):
                self.line(f"    (log: {step.log})")

    def _redraw(self) -> None:
        if self._terminal and self._running:
            width = os.get_terminal_size(self._out.fileno()).columns - 1
            self._out.write("\r\033[K" + " · ".join(_described(step) for step in self._running)[:width])
            self._out.flush()


def _described(step: Step) -> str:
    doing = f" ({step.doing})" if step.doing else ""
    return f"{step.name}: {_duration(step.seconds())} so far{doing}"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{seconds:.1f} s"


def _end_group(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        _signal_group(child, signal.SIGTERM)
    deadline = time.monotonic() + END_WITHIN_SECONDS
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal_group(child, signal.SIGKILL)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """The child leads a group of its own; a group that is gone needs nothing. Without `wait` its pid stays ours."""
    if child.returncode is None:
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            return
