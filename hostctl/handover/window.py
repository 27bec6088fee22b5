"""The downtime of one handover, by its moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hostctl.core.timestamps import seconds_of
from hostctl.handover.journal import Entry


@dataclass
class Window:
    """Moments of the monotonic clock, in seconds, and times of the wall clock.

    A killed run of the same handover journaled its own times: `released_before` is that of its first release,
    `answered_before` that of the point that it wrote after its good answer.
    """

    began: float = 0
    released: float = 0
    connected: float = 0
    answered: float = 0
    answered_at: str = ""
    released_before: str = ""
    answered_before: str = ""

    @classmethod
    def resuming(cls, entry: Entry) -> Window:
        answered = entry.first("finish") or entry.first("finalize")
        return cls(released_before=_time(entry.first("release")), answered_before=_time(answered))

    def downtime_ms(self) -> int:
        """From the release to the answer; after a killed run by the wall clock, from that run's release to its good
        answer, or to this run's where it had none."""
        own = self.answered - self.began
        if not self.released_before:
            return round(own * 1000)
        end = seconds_of(self.answered_before or self.answered_at)
        return round(max(own, end - seconds_of(self.released_before)) * 1000)

    def parts(self) -> dict[str, int]:
        return {
            "release_ms": round((self.released - self.began) * 1000),
            "connect_ms": round((self.connected - self.released) * 1000),
            "answer_ms": round((self.answered - self.connected) * 1000),
        }


def _time(line: dict[str, Any] | None) -> str:
    return "" if line is None else str(line.get("at", ""))
