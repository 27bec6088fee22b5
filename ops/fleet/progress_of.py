"""The progress of one stack's run, read from the lines that its command writes: its phase, and the downtime so far."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

STARTING = "starting"
CHECKING = "checking the result"

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STEP = re.compile(r"^\s*[-+~><=]*\s+(?!pulumi:pulumi:)\S+:\S+:\S+\s+(?P<name>\S+)\s+(?P<doing>[a-z]+)\b")
"""The engine's line on a step, such as ` +  command:local:Command host-hostctl creating (0s)`."""
_DOWNTIME = re.compile(r"\bdowntime (\d+) ms\b")


@dataclass(frozen=True)
class Seen:
    """The progress that the lines have shown so far."""

    phase: str = STARTING
    downtime_ms: int | None = None


def after(seen: Seen, line: str) -> Seen:
    """The same with one more line."""
    plain = _ESCAPES.sub("", line)
    if step := _STEP.match(plain):
        seen = replace(seen, phase=f"{step['name']} {step['doing']}")
    elif plain.startswith("Duration: "):
        seen = replace(seen, phase=CHECKING)
    if moved := _DOWNTIME.search(plain):
        seen = replace(seen, downtime_ms=int(moved[1]))
    return seen
