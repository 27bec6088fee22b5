"""Docker's spelling of a container's memory."""

from __future__ import annotations

import pytest

from lab.benchmarks.monitoring import megabytes


@pytest.mark.parametrize(("text", "value"), [("45.5MiB", 45.5), ("1.25GiB", 1280), ("512KiB", 0.5), ("0B", 0)], ids=str)
def test_every_unit_is_read(text: str, value: float) -> None:
    assert megabytes(text) == value
