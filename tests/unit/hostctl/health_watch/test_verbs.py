"""`hostctl n8n`: one workflow of ours in somebody's n8n, made once, changed in place, taken away, no other touched."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from components.n8n_workflow.workflow import NAME, targets, workflow
from hostctl import health_watch
from hostctl.core.errors import Refusal
from hostctl.health_watch import WorkflowRequest
from hostctl.host import repair
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.hostctl.n8n_server import COURSE, N8n, course, serving
from tests.unit.hostctl.test_any_document import ran
from tests.unit.settings.cases import SMALLEST

WEBHOOK = "https://discord.com/api/webhooks/123456789012345678/" + "w" * 68
HOSTS = {"gateway": "sentinel-gateway:9201", "prometheus": "prometheus:9090", "grafana": "grafana:3000"}
MANY = 250


def watch(minutes: float = 5) -> dict[str, Any]:
    settings = load(SMALLEST, SECRET_KEYS)
    return json.loads(json.dumps(workflow(targets(settings, **HOSTS), minutes=minutes, failures=2)))


@pytest.fixture
def theirs() -> N8n:
    """With workflows of the operator's own, more than a page of the list holds."""
    found = N8n()
    for number in range(MANY):
        body: dict[str, Any] = {
            "name": f"Own {number}",
            "nodes": [{"id": f"own-{number}"}],
            "connections": {},
            "settings": {},
        }
        found.answer("POST", "/api/v1/workflows", found.key, body)
    found.changes.clear()
    return found


@pytest.fixture
def document(theirs: N8n, tmp_path: Path) -> Generator[dict[str, Any]]:
    (tmp_path / "key").write_text(theirs.key)
    (tmp_path / "webhook").write_text(WEBHOOK)
    with serving(theirs) as url:
        yield {
            "url": url,
            "key_file": str(tmp_path / "key"),
            "webhook_file": str(tmp_path / "webhook"),
            "workflow": watch(),
            "limit_seconds": 5,
        }


def ours(theirs: N8n) -> list[dict[str, Any]]:
    return [one for one in theirs.workflows.values() if one["name"] == NAME]


def test_it_is_made_once_published_and_holds_a_credential_instead_of_the_webhook(
    theirs: N8n, document: dict[str, Any]
) -> None:
    assert health_watch.apply(WorkflowRequest(**document))["did"] == ["credential", "made", "published"]
    (made,) = ours(theirs)
    assert made["active"] is True and WEBHOOK not in json.dumps(made)
    (credential,) = theirs.credentials.values()
    assert credential["data"] == {"webhookUri": WEBHOOK}
    (sender,) = [node for node in made["nodes"] if "credentials" in node]
    assert sender["credentials"] == {"discordWebhookApi": {"id": credential["id"], "name": credential["name"]}}
    theirs.changes.clear()
    assert health_watch.apply(WorkflowRequest(**document))["did"] == []
    assert theirs.changes == [] and len(theirs.workflows) == MANY + 1


def test_what_n8n_adds_is_no_change_and_what_the_operator_changed_is_put_right(
    theirs: N8n, document: dict[str, Any]
) -> None:
    health_watch.apply(WorkflowRequest(**document))
    (made,) = ours(theirs)
    made["settings"]["callerPolicy"] = "workflowsFromSameOwner"
    assert health_watch.apply(WorkflowRequest(**document))["did"] == []
    made["name"], made["nodes"][2]["parameters"]["url"] = "Renamed", "http://elsewhere"
    assert health_watch.apply(WorkflowRequest(**document))["did"] == ["changed", "published"]
    assert made["name"] == NAME and len(theirs.workflows) == MANY + 1


def test_one_that_was_switched_off_is_published_again(theirs: N8n, document: dict[str, Any]) -> None:
    health_watch.apply(WorkflowRequest(**document))
    ours(theirs)[0]["active"] = False
    assert health_watch.apply(WorkflowRequest(**document))["did"] == ["published"]


def test_a_new_webhook_is_another_credential_and_the_former_one_goes(theirs: N8n, document: dict[str, Any]) -> None:
    health_watch.apply(WorkflowRequest(**document))
    Path(document["webhook_file"]).write_text(WEBHOOK.replace("w", "x"))
    assert health_watch.apply(WorkflowRequest(**document))["did"] == ["credential", "changed", "published"]
    (credential,) = theirs.credentials.values()
    assert credential["data"] == {"webhookUri": WEBHOOK.replace("w", "x")}


def test_it_is_removed_with_its_credential_and_once_more_is_no_error(theirs: N8n, document: dict[str, Any]) -> None:
    health_watch.apply(WorkflowRequest(**document))
    assert health_watch.remove(WorkflowRequest(**document)) == {"removed": True, "reason": "removed"}
    assert len(theirs.workflows) == MANY and theirs.credentials == {}
    assert health_watch.remove(WorkflowRequest(**document)) == {"removed": False, "reason": "n8n has no such workflow"}


def test_an_n8n_that_does_not_answer_stops_the_making_and_never_the_rollback(
    theirs: N8n, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone: dict[str, Any] = {**document, "url": "http://127.0.0.1:1", "limit_seconds": 0, "removal_seconds": 0}
    with pytest.raises(Refusal, match=r"n8n does not answer at http://127\.0\.0\.1:1 \(Connection refused\)"):
        health_watch.apply(WorkflowRequest(**gone))
    request = json.dumps(gone)
    monkeypatch.setattr("sys.argv", [str(tmp_path / "hostctl.pyz")])
    code, out, err = ran(("n8n", "remove"), request)
    assert (code, json.loads(out)["removed"]) == (0, False)
    assert "n8n does not answer" in err and "switch it off in n8n by hand; `make up` repairs it" in err
    (left,) = repair.show(repair.FolderRequest(str(tmp_path)))["unfinished"]
    assert left["verb"] == "n8n remove"


def test_an_n8n_that_is_starting_is_waited_for(theirs: N8n, document: dict[str, Any]) -> None:
    theirs.starting = 2
    assert health_watch.apply(WorkflowRequest(**document))["did"] == ["credential", "made", "published"]


def test_a_wrong_key_is_refused_with_its_fix_and_is_not_repeated(theirs: N8n, document: dict[str, Any]) -> None:
    Path(document["key_file"]).write_text("another-key")
    with pytest.raises(Refusal, match="n8n refuses its key") as caught:
        health_watch.apply(WorkflowRequest(**document))
    assert "another-key" not in str(caught.value)


def test_the_double_answers_as_the_real_n8n_does_in_the_lab(theirs: N8n, document: dict[str, Any]) -> None:
    def call(method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{document['url']}/api/v1{path}", data, method=method)
        request.add_header("X-N8N-API-KEY", theirs.key)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    theirs.workflows.clear()
    assert course(call, watch(), {"webhookUri": WEBHOOK}) == COURSE


@pytest.mark.parametrize(
    ("minutes", "interval"),
    [(5, {"field": "minutes", "minutesInterval": 5}), (0.1, {"field": "seconds", "secondsInterval": 6})],
)
def test_the_schedule_counts_minutes_and_seconds_below_one(minutes: float, interval: dict[str, Any]) -> None:
    assert watch(minutes)["nodes"][0]["parameters"] == {"rule": {"interval": [interval]}}
