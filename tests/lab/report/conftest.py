"""The deployed stack with Sentinel on the port, and its report made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.cutover.conftest import CONFIGURATION, Lab, lab

__all__ = ["lab", "made", "over_ssh"]


@dataclass(frozen=True)
class Made:
    """The answer of `make report`, and the files that it wrote."""

    document: dict[str, Any]
    html: str
    text: str


def make(lab: Lab) -> Made:
    document = lab.ops("report")
    html, text = (Path(document["files"][kind]).read_text(encoding="utf-8") for kind in ("html", "text"))
    return Made(document, html, text)


@pytest.fixture(scope="package")
def made(lab: Lab) -> Made:
    lab.set("active", "sentinel")
    lab.up()
    assert lab.ops("backup")["ok"] and lab.ops("restore-drill")["ok"]
    return make(lab)


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
