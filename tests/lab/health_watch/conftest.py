"""A real n8n on the VPS with the watch in it, on a short schedule, and an operator's own workflow beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import pytest

from console.paths import LOGS
from console.progress import Progress
from lab.box import Place
from lab.doubles.discord import running as discord
from lab.real.n8n import account, containers, install
from tests.lab.cutover.conftest import CONFIGURATION, Lab, lab

__all__ = ["lab", "n8n", "watched"]

CHECK_EVERY_SECONDS = 6
"""n8n's schedule in the tests; a check may take a third of it."""
WITHIN_SECONDS = 120
"""Many checks, on a machine that does other work."""


@dataclass(frozen=True)
class N8n:
    """The operator's n8n, with the key that he made there."""

    lab: Lab
    key: str

    def api_call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return account.api_call(self.lab.box, self.key, method, path, body)

    def workflows(self) -> dict[str, dict[str, Any]]:
        """By name."""
        return {one["name"]: one for one in self.api_call("GET", "/workflows")["data"]}

    def wait(self, seen: Callable[[], bool], what: str) -> None:
        """Until it is seen; the test fails after `WITHIN_SECONDS`, with what was posted to Discord."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while not seen():
            assert time.monotonic() < deadline, f"{what} was not seen; Discord has {embeds()}"
            time.sleep(0.2)


def embeds() -> list[dict[str, Any]]:
    """The embeds that the watch has posted, oldest first; Grafana's messages come under another name."""
    return [
        embed
        for message in discord.messages(Place())
        if message.get("username") == "Sentinel"
        for embed in message.get("embeds", [])
    ]


@pytest.fixture(scope="package")
def n8n(lab: Lab) -> Generator[N8n]:
    """As the operator has it before the product comes: an account, a key, a workflow of his own."""
    containers.start(lab.box, Place(), install.modules(Progress(LOGS)))
    try:
        operators = N8n(lab, account.key(lab.box))
        made = operators.api_call("POST", "/workflows", account.HEARTBEAT)
        operators.api_call("POST", f"/workflows/{made['id']}/activate")
        yield operators
    finally:
        containers.stop(lab.box)


@pytest.fixture(scope="package")
def watched(lab: Lab, n8n: N8n) -> Generator[N8n]:
    """The cutover with the watch; at the end the lab's own settings again, and the watch gone with them."""
    before = lab.configuration()
    lab.set("active", "sentinel")
    lab.pulumi("config", "set", "--path", "networks.also[0]", containers.NETWORK)
    lab.pulumi("config", "set", "--path", "health_watch.enabled", "true")
    lab.pulumi("config", "set", "--path", "health_watch.minutes", json.dumps(CHECK_EVERY_SECONDS / 60))
    lab.pulumi("config", "set", "--secret", "n8n_api_key", n8n.key)
    try:
        lab.up()
        yield n8n
    finally:
        CONFIGURATION.write_text(before)
        lab.up()
