"""`make status` on the grace period, in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from ops.engine.grace import sentences

USED: dict[str, Any] = {
    "open": True,
    "until": "2026-12-02T12:00:00Z",
    "sessions": 2,
    "calls": 7,
    "last_use": "2026-11-29T12:00:00Z",
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"until": None}, None),
        ({"open": False}, "ended at 2026-12-02T12:00:00Z: ContextForge's token is refused"),
        ({"calls": None}, "until 2026-12-02T12:00:00Z, once Sentinel serves"),
        (
            {},
            "until 2026-12-02T12:00:00Z: 2 sessions and 7 calls with ContextForge's token, last at "
            "2026-11-29T12:00:00Z (make end-grace)",
        ),
        (
            {"sessions": 0, "calls": 0, "last_use": None},
            "until 2026-12-02T12:00:00Z: 0 sessions and 0 calls with ContextForge's token (make end-grace)",
        ),
    ],
    ids=["none", "over", "nobody serves", "used", "unused"],
)
def test_the_grace_period_is_one_sentence(changes: dict[str, Any], sentence: str | None) -> None:
    assert [*sentences({**USED, **changes})] == ([] if sentence is None else [sentence])
