"""Seconds of an action over ssh on a slow cable: by the one connection, and by a connection of its own.

Owns: the cable, a hardened sshd on loopback, and both series.
Deliberately does not: need the lab; the action is a command that reads a request and answers it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from console.paths import ROOT
from lab.link.cable import cable
from lab.link.sshd import server
from verify.link.start import command_line, ensure

KEY = "link"
TAKEN_BY = "python -m lab.benchmarks link"
ROUND_TRIP_MS = 50
ROUNDS = 10
_REQUEST = b"x" * 4096
_ACTION = ("python3", "-I", "-S", "-c", "import sys; sys.stdout.write(str(len(sys.stdin.read())))")

Table = Callable[[Sequence[str], Sequence[Sequence[object]]], str]


def take(rounds: int = ROUNDS) -> dict[str, Any]:
    """{"round_trip_ms", "rounds", "first_s", "shared_s", "own_s"}: the connection's start, and medians."""
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder) / "sshd") as hardened,
        cable(hardened.target.port, ROUND_TRIP_MS / 2000) as laid,
    ):
        target = replace(hardened.target, port=laid.own_port)
        own = [_seconds(target.command_line(_ACTION, shared=False)) for _ in range(rounds)]
        began = time.monotonic()
        ensure(target)
        first = time.monotonic() - began
        shared = [_seconds([sys.executable, *command_line(target, _ACTION)]) for _ in range(rounds)]
    return {
        "round_trip_ms": ROUND_TRIP_MS,
        "rounds": rounds,
        "first_s": round(first, 3),
        "shared_s": round(statistics.median(shared), 3),
        "own_s": round(statistics.median(own), 3),
    }


def table(figures: Mapping[str, Any], table: Table) -> str:
    rows = [
        ("an action over the one connection", f"{figures['shared_s']:.2f} s"),
        ("an action with a connection of its own", f"{figures['own_s']:.2f} s"),
        ("the start of the one connection, once", f"{figures['first_s']:.2f} s"),
    ]
    shown = table(("what", f"at a round trip of {figures['round_trip_ms']} ms"), rows)
    return f"{shown}\nMedians of {figures['rounds']}.\n"


TABLES = {"link": table}


def _seconds(words: Sequence[str]) -> float:
    began = time.monotonic()
    done = subprocess.run(words, input=_REQUEST, stdout=subprocess.PIPE, cwd=ROOT, check=True, timeout=60)
    assert done.stdout == str(len(_REQUEST)).encode()
    return time.monotonic() - began
