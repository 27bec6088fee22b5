"""The contract: the gateway under test does what the published one was recorded to do.

    GATEWAY_UNDER_TEST=/path/of/an/executable .venv/bin/python -m pytest -q tests/integration/sentinel_contract

Without the variable it is the lab's double.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.sentinel_contract import recording
from tests.integration.sentinel_contract.recording import FACTS, Ran
from tests.integration.sentinel_contract.scenarios import load

pytestmark = pytest.mark.timeout(600)
"""A test waits for its scenario, which waits for its turn."""
WITHOUT_REPLAY = {"bridge_in_front": "its subject is the bridge, which has tests of its own"}


@pytest.mark.parametrize("scenario", sorted(load()))
def test_the_gateway_does_what_was_recorded(
    scenario: str, ran: Ran, record_property: Callable[[str, object], None]
) -> None:
    observed = ran(scenario)
    comparison = recording.Comparison(starved=observed.starved).of(recording.recorded(scenario), observed.document)
    record_property(FACTS, [comparison.compared, len(comparison.differences), comparison.not_replayed])
    assert not comparison.differences, "\n".join(comparison.differences)


def test_every_recorded_scenario_is_replayed_or_says_why_not() -> None:
    recorded = {file.stem for file in recording.FOLDER.glob("*.json")}
    assert recorded == load().keys() | WITHOUT_REPLAY.keys()
