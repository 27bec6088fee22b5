"""The fleet while it runs: a table in its place on a terminal, otherwise one line for each beginning, news and end."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from console.live_lines import LiveLines
from console.progress import REPORT_EVERY_SECONDS
from console.table import columns
from ops.fleet.host_run import HostRun, Outcome

HEADINGS = ("host", "phase", "seconds", "downtime", "result")


@dataclass(frozen=True)
class Row:
    """One host's line of the table."""

    host: str
    phase: str
    seconds: str
    downtime: str
    result: str

    def cells(self) -> tuple[str, ...]:
        return (self.host, self.phase, self.seconds, self.downtime, self.result)


class View:
    """The display of the runs, on stderr."""

    def __init__(self, stacks: Sequence[str], out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._lines = LiveLines(self._out)
        self._stacks = stacks
        self._reported = time.monotonic()

    def began(self, run: HostRun) -> None:
        self._say(f"{run.stack}: begins; its output is in {run.log}")

    def ended(self, outcome: Outcome) -> None:
        row = row_of_outcome(outcome)
        downtime = f", downtime {row.downtime}" if row.downtime else ""
        self._say(
            f"{row.host}: {row.result} after {row.seconds} s{downtime}{f': {outcome.error}' * bool(outcome.error)}"
        )

    def line(self, text: str) -> None:
        """One line that stays, above the table where there is one."""
        self._lines.clear()
        self._out.write(f"{text}\n")
        self._out.flush()

    def tick(self, running: Sequence[HostRun], ended: Sequence[Outcome]) -> None:
        """The present state: at each call on a terminal, every 15 s elsewhere."""
        if self._lines.live:
            self._lines.draw(table(self._stacks, running, ended, self._lines.height()))
        elif time.monotonic() - self._reported >= REPORT_EVERY_SECONDS:
            self._reported = time.monotonic()
            for run in running:
                row = row_of_run(run)
                self._say(f"{row.host}: {row.phase}, {row.seconds} s so far")

    def close(self) -> None:
        """No table any more; the command's result comes after it."""
        self._lines.clear()

    def _say(self, text: str) -> None:
        """A line that a terminal does not need, since its table says the same."""
        if not self._lines.live:
            self.line(text)


def table(stacks: Sequence[str], running: Sequence[HostRun], ended: Sequence[Outcome], height: int) -> list[str]:
    """Every host in its order; where that is too high, those at work, those that failed, and how many others."""
    rows = {run.stack: row_of_run(run) for run in running} | {one.stack: row_of_outcome(one) for one in ended}
    shown = [rows.get(stack) or Row(stack, "waiting", "", "", "") for stack in stacks]
    if len(shown) < height:
        return columns([HEADINGS, *(row.cells() for row in shown)])
    news = [row for row in shown if row.result not in ("", "ok") or row.host in {run.stack for run in running}]
    done = sum(row.result == "ok" for row in shown)
    waiting = sum(row.phase == "waiting" for row in shown)
    counted = f"{len(shown)} hosts: {done} ok, {len(running)} at work, {waiting} waiting"
    return [*columns([HEADINGS, *(row.cells() for row in news[: height - 2])]), counted]


def row_of_run(run: HostRun) -> Row:
    return Row(run.stack, run.seen.phase, f"{run.seconds():.0f}", _milliseconds(run.seen.downtime_ms), "")


def row_of_outcome(outcome: Outcome) -> Row:
    seconds = "" if outcome.result == "not started" else f"{outcome.seconds:.0f}"
    return Row(outcome.stack, "", seconds, _milliseconds(outcome.downtime_ms), outcome.result)


def _milliseconds(value: int | None) -> str:
    return "" if value is None else f"{value} ms"
