"""The switch between the sample that CI has time for and everything: `SOAK=1`, which `make soak` sets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import pytest

SOAK = bool(os.environ.get("SOAK"))

Value = TypeVar("Value")


def only_soak(reason: str) -> pytest.MarkDecorator:
    """The mark of a test that CI has no time for; `reason` says what it costs and what holds the promise in CI."""
    return pytest.mark.skipif(not SOAK, reason=f"{reason}: under `make soak`")


def sample(values: Sequence[Value], one_in: int, first: int = 0) -> list[Value]:
    """One value in `one_in`, evenly spread; all of them in a soak."""
    return list(values) if SOAK else list(values[first % one_in :: one_in])
