"""The scenarios of the recording, one module a group: `SCENARIOS` holds them by the recording's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests.integration.sentinel_contract.place import Place

Scenario = Callable[[Place], Any]
GROUPS = (
    "start",
    "refusals",
    "discovery",
    "protocol",
    "calls",
    "limits",
    "failures",
    "outages",
    "endings",
    "audit",
    "environment",
)


@dataclass(frozen=True)
class Entry:
    run: Scenario
    seconds: float


SCENARIOS: dict[str, Entry] = {}


def scenario(seconds: float = 3) -> Callable[[Scenario], Scenario]:
    """Enter a function under its name; `seconds` is about how long it takes, so that the long ones begin first."""

    def enter(function: Scenario) -> Scenario:
        SCENARIOS[function.__name__] = Entry(function, seconds)
        return function

    return enter


def load() -> dict[str, Entry]:
    for group in GROUPS:
        import_module(f"{__name__}.{group}")
    return SCENARIOS
