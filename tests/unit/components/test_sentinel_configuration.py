"""The settings' limits as the bridge reads them from its own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge import configuration as bridge
from components.sentinel.configuration import bridge_json
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import SQLITE, THINKING, configuration

AWAY: dict[str, Any] = {**SQLITE, "needs_internet": True, "upstream_hosts": ["example.com"]}


def read_by_the_bridge(folder: Path, **changes: Any) -> bridge.Settings:
    settings = load(configuration(**changes), SECRET_KEYS)
    file = folder / "bridge.json"
    file.write_text(bridge_json(settings.sentinel, settings.backends, ["JWT_SECRET_KEY"]))
    return bridge.load(file)


def test_the_gateway_has_the_operators_time_to_drain_before_the_bridge_kills_it(tmp_path: Path) -> None:
    changed = read_by_the_bridge(tmp_path, sentinel__drain_seconds="60")
    assert changed.stop_seconds == 60
    assert read_by_the_bridge(tmp_path).stop_seconds == 10


@pytest.mark.parametrize(
    ("backends", "given", "waits", "starts"),
    [
        ([SQLITE, THINKING], "180", "60", 120),
        ([SQLITE, THINKING], "240", "90", 150),
        ([SQLITE], "63", "60", 3),
        ([AWAY, THINKING], "180", "60", 180),
        ([THINKING], "45", "60", 45),
    ],
    ids=["defaults", "longer", "shortest", "nothing-it-waits-for", "stdio-alone"],
)
def test_waiting_for_backends_and_the_start_together_take_the_time_that_the_container_has(
    tmp_path: Path, backends: list[dict[str, Any]], given: str, waits: str, starts: float
) -> None:
    limits = {
        "sentinel__start_seconds": given,
        "sentinel__backends_seconds": waits,
        "sentinel__health_interval_seconds": "1",
    }
    read = read_by_the_bridge(tmp_path, backends=backends, **limits)
    assert read.start_seconds == starts
    assert read.start_seconds + (read.http_backends_seconds if read.http_backends else 0) == float(given)
