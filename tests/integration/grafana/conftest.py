"""The product's provisioning files as Grafana's container has them, and a Discord on loopback that they lead to."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dashboards.provisioning import DASHBOARDS, PROVISIONING, files
from lab.doubles.discord.sink import Discord, server
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration

PATH = "/api/webhooks/123456789012345678/" + "w" * 68
WEBHOOK = f"https://discord.com{PATH}"


def provisioned_files(folder: Path, webhook: str, **alerts: object) -> Path:
    """The provisioning folder, below a folder of the test's own; `alerts` are settings of that section."""
    secret = folder / "webhook"
    secret.write_text(webhook + "\n")
    settings = load(configuration(alerts=alerts), SECRET_KEYS)
    contents = files(settings, prometheus="http://prometheus:9090", webhook_file=str(secret), paused=False)
    for path, content in contents.items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content.replace(DASHBOARDS, str(folder / DASHBOARDS.lstrip("/"))))
    return folder / PROVISIONING.lstrip("/")


@dataclass(frozen=True)
class Sink:
    """The double of Discord while it serves; `webhook` is its address, as Grafana's file has it."""

    discord: Discord
    port: int

    @property
    def webhook(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.discord.path}"

    def messages(self) -> list[dict[str, Any]]:
        record = self.discord.record
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


@pytest.fixture
def sink(tmp_path: Path) -> Generator[Sink]:
    discord = Discord(PATH, tmp_path / "messages.jsonl")
    serving = server(discord, "127.0.0.1", 0)
    thread = threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield Sink(discord, serving.server_address[1])
    serving.shutdown()
    serving.server_close()
    thread.join()
