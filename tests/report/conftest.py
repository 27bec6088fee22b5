"""The deployed stack with Sentinel on the port, and its report made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.box import Place
from lab.discord import running as discord
from tests.story.conftest import CONFIGURATION, Lab, lab

__all__ = ["lab", "made", "over_ssh"]


@dataclass(frozen=True)
class Made:
    """What `make report` answered, what it wrote, and what it posted."""

    document: dict[str, Any]
    html: str
    text: str
    posted: list[str]


def make(lab: Lab, *words: str) -> Made:
    before = len(discord.messages(Place()))
    document = lab.ops("report", *words)
    html, text = (Path(document["files"][kind]).read_text(encoding="utf-8") for kind in ("html", "text"))
    return Made(document, html, text, [one["content"] for one in discord.messages(Place())[before:]])


@pytest.fixture(scope="package")
def made(lab: Lab) -> Made:
    lab.set("active", "sentinel")
    lab.up()
    return make(lab, "--send")


@pytest.fixture(scope="package")
def over_ssh(lab: Lab, made: Made) -> Made:
    """The same stack, reported by somebody who reaches its host by ssh only."""
    found, ssh = CONFIGURATION.read_text(encoding="utf-8"), lab.box.ssh
    reached = {"kind": "ssh", "address": ssh.address, "user": ssh.user, "private_key_file": ssh.key}
    try:
        for key, value in {**reached, "host_key": ssh.host_key}.items():
            lab.set(f"host.{key}", value)
        return make(lab)
    finally:
        CONFIGURATION.write_text(found, encoding="utf-8")
