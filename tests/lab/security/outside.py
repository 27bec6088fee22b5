"""The outside's view of the lab's VPS: every TCP port, at a moment or all through a run.

Owns: the tables and the two watches over a handover. Deliberately does not: judge them.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.paths import ROOT
from lab.box.network import VPS, inside
from tests.lab.cutover.conftest import Lab

ADDRESSES = (VPS.ipv4, VPS.ipv6)
EVERY = "every"
_SCAN = str(ROOT / "lab" / "port_scan.py")

Table = Mapping[str, Mapping[str, Any]]
"""By address: open, silent and refused ports, as lab/port_scan.py prints it."""


def scanned(lab: Lab, ports: Sequence[int] = ()) -> Table:
    """The answers to the outside: of every port, or of those named."""
    only = ["--ports", ",".join(map(str, ports))] if ports else []
    output = subprocess.run(
        inside(lab.box.wan, [sys.executable, _SCAN, *only, *ADDRESSES]),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=240,
    ).stdout  # fmt: skip
    return json.loads(output.splitlines()[-1])


class Watching:
    """`lab/port_scan.py --watch` from outside, from its start to `ended()`."""

    def __init__(self, lab: Lab, ports: str) -> None:
        self._process = subprocess.Popen(
            inside(lab.box.wan, [sys.executable, _SCAN, "--watch", ports, *ADDRESSES]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def until_the_first_round(self) -> None:
        assert self._process.stdout and self._process.stdout.readline() == "watching\n"

    def ended(self) -> dict[str, Any]:
        """The ports that were ever open or silent, and `rounds`; the round that is under way is finished first."""
        output, _ = self._process.communicate(timeout=240)
        return json.loads(output.splitlines()[-1])


@dataclass
class OverAHandover:
    """Of one run: the gateway's ports from before it to after it, every port from the handover's beginning on."""

    gateway: dict[str, Any] = field(default_factory=dict[str, Any])
    every: dict[str, Any] = field(default_factory=dict[str, Any])
    events: bytes = b""
    """All that the engine wrote into its event log."""


@contextlib.contextmanager
def over_a_handover(lab: Lab, log: Path) -> Generator[OverAHandover]:
    """Watches while the block runs an engine that writes its events to `log`, a pipe that is made here.

    The engine says in its log that it begins with the handover, and that moment begins the watch on every port.
    """
    seen = OverAHandover()
    begun: list[Watching] = []

    def read() -> None:
        with log.open("rb") as events:
            for line in events:
                seen.events += line
                if not begun and b'"resourcePreEvent"' in line and _begins_the_handover(line):
                    begun.append(Watching(lab, EVERY))

    os.mkfifo(log, 0o600)
    gateway = Watching(lab, "9200,9201")
    gateway.until_the_first_round()
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    yield seen
    reader.join(60)
    seen.gateway = gateway.ended()
    assert begun, "the engine said nothing of a handover"
    seen.every = begun[0].ended()


def _begins_the_handover(line: bytes) -> bool:
    metadata = json.loads(line)["resourcePreEvent"]["metadata"]
    return metadata["urn"].endswith("::handover-port") and metadata["op"] != "same"
