"""n8n's own watch, from the gateway's fall to the red embed and from its return to the green one, on a real n8n."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from components.n8n_workflow.workflow import NAME, Target, workflow
from lab.box import Place
from lab.doubles.discord import running as discord
from lab.real.n8n import account
from tests.lab.health_watch.conftest import N8n, embeds
from tests.soak import only_soak
from tests.unit.hostctl.n8n_server import COURSE, course

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(900),
    only_soak("n8n is a gigabyte from npm; tests/unit/hostctl has the watch's course on its double"),
]

RED, GREEN = 15158332, 3066993


def test_the_watch_is_published_beside_the_operators_own_workflow_and_holds_no_webhook(watched: N8n) -> None:
    found = watched.workflows()
    assert {name: one["active"] for name, one in found.items()} == {"Heartbeat": True, NAME: True}
    assert discord.webhook(Place()).rpartition("/")[2] not in json.dumps(found)


def test_a_second_preview_changes_nothing(watched: N8n) -> None:
    assert set(watched.lab.planned()) == {"same"}


def test_one_red_embed_when_they_fall_and_one_green_when_they_are_back(watched: N8n) -> None:
    gateway = watched.lab.outputs()["sentinel"]
    before = len(embeds())

    def posted(title: str) -> bool:
        return any(embed["title"] == title for embed in embeds()[before:])

    watched.lab.pause(gateway)
    try:
        watched.lab.docker("stop", "-t", "5", "sentinel-grafana")
        watched.wait(lambda: posted("Sentinel is down") and posted("Grafana is down"), "the red embeds")
    finally:
        watched.lab.docker("unpause", gateway)
        watched.lab.docker("start", "sentinel-grafana")
    watched.wait(lambda: posted("Sentinel is back") and posted("Grafana is back"), "the green embeds")
    by_title = {embed["title"]: embed for embed in embeds()[before:]}
    assert len(by_title) == len(embeds()[before:]) == 4
    red, green = by_title["Sentinel is down"], by_title["Sentinel is back"]
    assert (red["color"], green["color"]) == (RED, GREEN)
    fields = {field["name"]: field["value"] for field in red["fields"]}
    assert fields["Status"] == "no answer" and "timeout" in fields["Error"]
    assert fields["Since"] == {field["name"]: field["value"] for field in green["fields"]}["Since"]
    assert green["description"].startswith("It answers again after ")


def test_a_marked_message_arrives_by_n8n_and_nothing_of_it_stays(watched: N8n) -> None:
    drill = watched.lab.ops("alert-drill")
    assert {row["route"]: row["result"] for row in drill["routes"]}["n8n"] == "sent", drill
    assert embeds()[-1]["title"] == f"Alert test {drill['mark']}: nothing is wrong, the operator ran make alert-drill."
    assert set(watched.workflows()) == {"Heartbeat", NAME}


def test_n8n_answers_as_its_double_in_the_fast_tests_does(watched: N8n) -> None:
    def call(method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        return account.exchange(watched.lab.box, watched.key, method, path, body)

    watched_targets = [Target("nothing", "http://127.0.0.1:9/", "down", "up", "none")]
    other = json.loads(json.dumps(workflow(watched_targets, minutes=59, failures=20)))
    for node in other["nodes"]:
        node["id"] = str(uuid.uuid4())
    assert course(call, other, {"webhookUri": "https://discord.com/api/webhooks/1/none"}) == COURSE


def test_the_rollback_takes_the_watch_out_of_service_first_and_alarms_nobody(watched: N8n) -> None:
    before = embeds()
    heartbeat = watched.workflows()["Heartbeat"]
    watched.lab.set("active", "contextforge")
    watched.lab.up()
    assert watched.workflows() == {"Heartbeat": heartbeat}
    assert embeds() == before
