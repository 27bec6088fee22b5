"""One change of the port's holder under the independent watch.

Owns: starting `lab/downtime_watch.py` inside the VPS's network, ending it, and its figure.
Deliberately does not: change anything; the change is the caller's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import ROOT
from lab.box import Box
from lab.box.network import inside
from lab.real.contextforge import token_file

WATCH = ROOT / "lab" / "downtime_watch.py"


@dataclass
class Seen:
    """The watch's findings, filled in once its block has ended. Milliseconds."""

    gap_ms: float = 0.0
    silent_ms: float = 0.0
    """The sum of all gaps with an attempt in them that had no good answer."""
    attempts: int = 0
    good: int = 0
    missed: int = 0
    """Attempts without a good answer outside of the periods that are watched closely."""
    reasons: tuple[str, ...] = ()


def gateway_tokens(box: Box) -> list[str]:
    """The tokens with which the watch calls either gateway, as far as they exist: Claude's token file holds
    ContextForge's while that one serves, and the handover has one of Sentinel's.
    """
    files = (token_file(box), Path(box.folder) / "handover-token")
    return [file.read_text(encoding="utf-8").strip() for file in files if file.exists()]


def journal_of_handover(box: Box) -> Path:
    """There from a handover's beginning to its end; its last line is the step that is at work."""
    return Path(box.folder) / "handover" / "in-progress.jsonl"


def wait_for_answer(box: Box, port: int, tokens: Sequence[str], within_seconds: float) -> None:
    """Until whoever holds the port gives a good answer; raises UserError when there is none within the limit."""
    with watched(box, port, tokens, first_answer_seconds=within_seconds):
        pass


@contextmanager
def watched(
    box: Box,
    port: int,
    tokens: Sequence[str],
    *,
    first_answer_seconds: float = 30,
    interval_seconds: float = 0.01,
    follow: Path | None = None,
    closely_while: Path | None = None,
) -> Generator[Seen]:
    """The block's doing, from a first good answer before it to its end; raises UserError when there is none.

    `follow` is a token file that is read at each attempt, `closely_while` a file during whose life each gap counts.
    """
    seen = Seen()
    watch = subprocess.Popen(
        inside(box.vps, [sys.executable, "-I", "-S", str(WATCH)]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdin is not None and watch.stdout is not None
    patience = threading.Timer(first_answer_seconds, watch.kill)
    patience.start()
    try:
        request: dict[str, Any] = {"port": port, "tokens": list(tokens), "interval_seconds": interval_seconds}
        if follow is not None:
            request["token_file"] = str(follow)
        if closely_while is not None:
            request["closely_while"] = str(closely_while)
        watch.stdin.write(json.dumps(request) + "\n")
        watch.stdin.flush()
        if watch.stdout.readline() != "watching\n":
            raise UserError(f"The watch had no good answer on port {port}: see `make verify`.")
        patience.cancel()
        yield seen
        watch.stdin.close()
        result: dict[str, Any] = json.loads(watch.stdout.readline())
        seen.gap_ms, seen.silent_ms, seen.attempts = result["gap_ms"], result["silent_ms"], result["attempts"]
        seen.good, seen.missed, seen.reasons = result["good"], result["missed"], tuple(result["reasons"])
    finally:
        patience.cancel()
        watch.stdin.close()
        if watch.poll() is None:
            try:
                watch.wait(10)
            except subprocess.TimeoutExpired:
                watch.kill()
        watch.stdout.close()
