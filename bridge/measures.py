"""The bridge's own metrics, beside those of the gateway: what the gateway itself cannot know or does not say.

Owns: the time that a call waits until the gateway takes it, since the gateway's own histogram begins at its turn; and
the rows of the audit log that the gateway drops, of which only its log speaks.
"""

from __future__ import annotations

from bisect import bisect_left

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""The buckets of the gateway's histogram, and two above them: a call may wait for several others."""
AUDIT_ROW_LOST = {
    b"Failed to write audit log": "not_written",
    b"Audit channel full, dropping entry": "too_many_waiting",
}
"""The lines of the gateway's log that each stand for one lost row, and the row's reason."""

_WAITS = "sentinel_bridge_wait_seconds"
_LOST = "sentinel_bridge_audit_rows_lost_total"


class Measures:
    """All of them, since the bridge's start. Every series is there from the beginning."""

    def __init__(self) -> None:
        self._waits = [0] * (len(BOUNDS) + 1)
        self._waited = 0.0
        self._lost = dict.fromkeys(AUDIT_ROW_LOST.values(), 0)

    def waited(self, seconds: float) -> None:
        """Count a call whose turn has come."""
        self._waits[bisect_left(BOUNDS, seconds)] += 1
        self._waited += seconds

    def read(self, line: bytes) -> None:
        """Count the lost row of a line of the gateway's log."""
        for text, reason in AUDIT_ROW_LOST.items():
            if text in line:
                self._lost[reason] += 1

    def text(self) -> str:
        """Prometheus's text format 0.0.4."""
        lines = [
            f"# HELP {_WAITS} Seconds that calls waited in the bridge for their turn at the gateway",
            f"# TYPE {_WAITS} histogram",
        ]
        count = 0
        for bound, here in zip((*(f"{bound:g}" for bound in BOUNDS), "+Inf"), self._waits, strict=True):
            count += here
            lines.append(f'{_WAITS}_bucket{{le="{bound}"}} {count}')
        lines += [f"{_WAITS}_sum {self._waited}", f"{_WAITS}_count {count}"]
        lines += [f"# HELP {_LOST} Rows of the audit log that the gateway dropped", f"# TYPE {_LOST} counter"]
        lines += [f'{_LOST}{{reason="{reason}"}} {lost}' for reason, lost in self._lost.items()]
        return "".join(f"{line}\n" for line in lines)
