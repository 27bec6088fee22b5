"""A record of the downtime: attempts on the port, one after the other, while it changes hands.

Owns: one thread that calls the port beside the handover and writes nothing. Deliberately does not: decide anything,
delay a step, or measure the downtime, which ends with the goal's own first good answer (`procedure`).

Any HTTP answer counts, so that one request serves for both gateways and no session is opened. Between two attempts
there is a pause, since ContextForge refuses more than 100 requests a minute.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from hostctl.handover.request import HandoverRequest
from hostctl.mcp import initialize

PAUSE_SECONDS = 0.02
SLOW_PAUSE_SECONDS = 0.2
"""After FINE_SECONDS: an orderly stop or a start takes seconds, and needs no record of milliseconds."""
FINE_SECONDS = 2.0
ANSWER_SECONDS = 0.1
"""A gateway on a busy machine may need more than a few milliseconds; one that hangs is recognized all the same."""
BEFORE = AFTER = 3
"""Attempts that must have ended before the port is released, and after the goal's answer."""
LONGEST_WAIT_SECONDS = 1.0
MOST_POINTS = 400
_RESULTS = {"no answer in time": "silent", "the connection was closed without an answer": "closed"}


@dataclass(frozen=True)
class Point:
    """One attempt, in seconds of the monotonic clock; `result` is answered, refused, silent or closed."""

    began: float
    ended: float
    result: str


class DowntimeProbe:
    """A probe that runs from its `with` to the block's end; `around` returns the attempts."""

    def __init__(self, request: HandoverRequest) -> None:
        host = f"127.0.0.1:{request.port}"
        self._target = initialize.Target("127.0.0.1", request.port, request.predecessor_probe.path, host)
        self._points: list[Point] = []
        self._ended = threading.Condition()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="downtime-probe", daemon=True)

    def __enter__(self) -> DowntimeProbe:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(LONGEST_WAIT_SECONDS)

    def wait_for(self, attempts: int) -> None:
        """Wait until this many more attempts have ended, or a second has passed."""
        with self._ended:
            enough = len(self._points) + attempts
            self._ended.wait_for(lambda: len(self._points) >= enough, LONGEST_WAIT_SECONDS)

    def around(self, moment: float) -> list[list[Any]]:
        """[[begin, end, result], …] in milliseconds from `moment`, the attempts in their order."""
        with self._ended:
            points = list(self._points)
        return [[round((p.began - moment) * 1000), round((p.ended - moment) * 1000), p.result] for p in points]

    def _run(self) -> None:
        first = time.monotonic()
        while not self._over.is_set() and len(self._points) < MOST_POINTS:
            began = time.monotonic()
            answer = initialize.once(self._target, "", ANSWER_SECONDS, any_answer=True)
            with self._ended:
                self._points.append(Point(began, time.monotonic(), _result(answer)))
                self._ended.notify_all()
            self._over.wait(PAUSE_SECONDS if began - first < FINE_SECONDS else SLOW_PAUSE_SECONDS)


def _result(answer: initialize.Answer) -> str:
    if answer.good or answer.reason.startswith("HTTP "):
        return "answered"
    return _RESULTS.get(answer.reason, "refused")
