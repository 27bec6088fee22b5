"""`hostctl grafana send` against the double, in both forms of Grafana's test of a contact point."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from console.paths import ROOT
from hostctl import grafana
from hostctl.core.errors import Refusal
from hostctl.grafana import SendRequest
from lab.doubles.discord import sink as limits
from lab.doubles.grafana.database import Database
from lab.doubles.grafana.evaluation import Evaluator
from lab.doubles.grafana.notifying import Notifier
from lab.doubles.grafana.provisioning import read
from lab.doubles.grafana.server import Api, server
from tests.integration.grafana.conftest import Sink, provisioned_files

ALERT = {"labels": {"alertname": "Alert test"}, "annotations": {"summary": "Alert test 7f3a2c: nothing is wrong."}}
PASSWORD = "grafana-" + "a" * 40
GONE = (
    "Discord answers 404 for the webhook: make a new one in the channel's settings, then "
    "`pulumi config set --secret discord_webhook`"
)
Send = Callable[..., dict[str, Any]]


@contextmanager
def running(folder: Path, webhook: str, major: int) -> Generator[Send]:
    """A Grafana with the product's files; sends a test message through it."""
    provisioned = read(provisioned_files(folder, webhook))
    evaluator = Evaluator(provisioned)
    notifier = Notifier(provisioned, evaluator, "http://127.0.0.1:3100/")
    database = Database.opened(folder / "grafana.db", PASSWORD, "key-" + "k" * 40)
    serving = server(Api(provisioned, evaluator, "admin", database, notifier, major), "127.0.0.1", 0)
    thread = threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    port = serving.server_address[1]
    at: dict[str, Any] = {"address": "127.0.0.1", "port": port, "user": "admin", "password": PASSWORD}

    def send(**changes: Any) -> dict[str, Any]:
        members: dict[str, Any] = {**at, "contact_point": "discord", "alert": ALERT, "limit_seconds": 0, **changes}
        return grafana.send(SendRequest(**members))

    yield send
    serving.shutdown()
    serving.server_close()
    thread.join()


EACH_FORM = pytest.mark.parametrize("major", [12, 13])


@EACH_FORM
def test_the_message_arrives_by_the_stored_webhook_in_the_form_of_our_alerts(
    tmp_path: Path, sink: Sink, major: int
) -> None:
    with running(tmp_path, sink.webhook, major) as send:
        assert send() == {"sent": True}
    (message,) = sink.messages()
    assert message["embeds"][0]["title"] == "FIRING: Alert test"
    assert message["content"].startswith("Alert test 7f3a2c: nothing is wrong.\nFirst check: ")


@EACH_FORM
def test_a_webhook_that_is_gone_is_reported_with_its_fix(tmp_path: Path, sink: Sink, major: int) -> None:
    with running(tmp_path, sink.webhook + "x", major) as send:
        assert send() == {"sent": False, "reason": GONE}


@EACH_FORM
def test_too_many_messages_are_waited_for_and_reported_when_it_takes_too_long(
    tmp_path: Path, sink: Sink, major: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RATE_SECONDS", 0.5)
    monkeypatch.setattr(grafana, "AGAIN_SECONDS", 0.6)
    sink.discord.rate = 1
    with running(tmp_path, sink.webhook, major) as send:
        assert send()["sent"] is True
        assert "429" in send()["reason"]
        assert send(limit_seconds=10)["sent"] is True
    assert len(sink.messages()) == 2


@EACH_FORM
def test_an_unreachable_address_is_not_repeated(tmp_path: Path, major: int) -> None:
    webhook = "http://127.0.0.1:1/api/webhooks/1/secret"
    with running(tmp_path, webhook, major) as send:
        outcome = send()
    assert outcome["sent"] is False
    assert (
        "refused" in outcome["reason"] and "secret" not in outcome["reason"] and "127.0.0.1:1/" not in outcome["reason"]
    )


@EACH_FORM
def test_a_refused_request_is_one_sentence(tmp_path: Path, sink: Sink, major: int) -> None:
    with running(tmp_path, sink.webhook, major) as send:
        with pytest.raises(Refusal, match="Grafana refuses its admin's password"):
            send(password="another")
        with pytest.raises(Refusal, match="Grafana has no contact point pager: `make up` provisions it"):
            send(contact_point="pager")
    with pytest.raises(Refusal, match=r"Grafana does not answer on 127.0.0.1:\d+ \(Connection refused\)"):
        send()
    assert sink.messages() == []


def test_as_a_program_it_prints_no_secret(tmp_path: Path) -> None:
    document = {"address": "127.0.0.1", "port": 1, "user": "admin", "password": PASSWORD, "contact_point": "discord"}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "hostctl", "grafana", "send"],
        input=json.dumps({**document, "alert": ALERT}), capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert "(docs/runbook.md#hostctl-grafana-send)" in done.stderr and PASSWORD not in done.stderr
    assert time.monotonic() - began < 10
