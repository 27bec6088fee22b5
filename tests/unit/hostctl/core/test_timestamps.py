"""One reading for every time that a document, the journal or Docker writes."""

from __future__ import annotations

import pytest

from hostctl.core.errors import Refusal
from hostctl.core.timestamps import now, seconds_of

NOON = 1_795_780_800
"""2026-11-27T12:00:00Z."""


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("2026-11-27T12:00:01Z", NOON + 1),
        ("2026-11-27T12:00:01.250Z", NOON + 1.25),
        ("2026-11-27T12:00:01.500000000Z", NOON + 1.5),
        ("2026-11-27T13:00:01.5+01:00", NOON + 1.5),
    ],
)
def test_a_moment_is_read_with_any_zone_and_number_of_decimals(moment: str, seconds: float) -> None:
    assert seconds_of(moment) == seconds


def test_what_is_written_is_read_and_what_is_no_moment_is_refused() -> None:
    assert now() <= now()
    assert seconds_of(now()) <= seconds_of(now())
    for text in ("", "yesterday", "2026-11-27", "2026-11-27T12:00:01"):
        with pytest.raises(Refusal, match="is not a time: report it"):
            seconds_of(text)
