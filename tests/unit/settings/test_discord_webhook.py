"""The Discord webhook: every host and path under which Discord takes messages, and nobody else's."""

from __future__ import annotations

import pytest

from settings import load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration, refusal

OWN = "webhooks/123456789012345678/" + "w" * 68


@pytest.mark.parametrize(
    "address",
    [
        f"https://discordapp.com/api/{OWN}",
        f"https://canary.discord.com/api/{OWN}",
        f"https://ptb.discord.com/api/v10/{OWN}",
        f"https://discord.com/api/{OWN}?thread_id=123456789012345678",
    ],
)
def test_each_address_of_discords_is_taken(address: str) -> None:
    found = load(configuration(discord_webhook=address), SECRET_KEYS).discord_webhook
    assert found and found.get_secret_value() == address


@pytest.mark.parametrize(
    "address",
    [
        f"https://discord.com.example.org/api/{OWN}",
        f"https://evil.discord.com/api/{OWN}",
        f"http://discord.com/api/{OWN}",
        f"https://discord.com/api/{OWN}?thread_id=x",
        f"https://discord.com/api/{OWN}?wait=true",
    ],
)
def test_any_other_address_is_refused(address: str) -> None:
    assert [problem.key for problem in refusal(configuration(discord_webhook=address)).problems] == ["discord_webhook"]
