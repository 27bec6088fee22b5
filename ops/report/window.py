"""The downtime as its picture shows it: the attempts beside the handover, and how long none was answered.

Times are milliseconds from the moment at which the port was let go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

ANSWERED = "answered"
RESULTS = {
    ANSWERED: "answered",
    "refused": "refused",
    "silent": "no answer in time",
    "closed": "closed without an answer",
}


@dataclass(frozen=True)
class Attempt:
    """One attempt at the port."""

    began: int
    ended: int
    result: str

    @property
    def good(self) -> bool:
        return self.result == ANSWERED


@dataclass(frozen=True)
class Window:
    """`phases` are release, connect and the wait for the first good answer; `downtime` is the handover's own figure."""

    attempts: tuple[Attempt, ...]
    phases: tuple[tuple[str, int], ...]
    downtime: int

    @classmethod
    def of(cls, last: Mapping[str, Any]) -> Window:
        parts: Mapping[str, int] = last.get("parts") or {}
        attempts: Sequence[Sequence[Any]] = last.get("attempts") or []
        return cls(
            tuple(Attempt(int(began), int(ended), str(result)) for began, ended, result in attempts),
            tuple((name.removesuffix("_ms"), int(ms)) for name, ms in parts.items()),
            int(last.get("downtime_ms") or 0),
        )

    @property
    def seen(self) -> int:
        """The part of the downtime that this run saw; less than all of it where it finished what a killed one began."""
        return sum(ms for _, ms in self.phases)

    @property
    def whole(self) -> bool:
        return self.downtime - self.seen <= len(self.phases)

    @property
    def span(self) -> tuple[int, int]:
        """From the first attempt to the last, or the downtime where there is none."""
        ends = [attempt.ended for attempt in self.attempts]
        return min([0, *(attempt.began for attempt in self.attempts)]), max([1, self.seen, *ends])

    @property
    def silence(self) -> tuple[int, int] | None:
        """The longest time from one answer to the end of the next, since the release; the true gap is no longer. None
        without two. On Docker 20.10 there is one before the release too, while the port moves to a standby network."""
        good = [attempt for attempt in self.attempts if attempt.good]
        pairs = [(earlier.ended, later.ended) for earlier, later in pairwise(good) if later.ended > 0]
        return max(pairs, key=lambda pair: pair[1] - pair[0], default=None)

    def counts(self) -> dict[str, int]:
        """The number of attempts by their result."""
        return {
            word: sum(attempt.result == key for attempt in self.attempts)
            for key, word in RESULTS.items()
            if any(attempt.result == key for attempt in self.attempts)
        }
