"""The report's evidence: no secret is left in it, and each fact comes from its own place in state and history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pulumi import automation

from ops.engine.history import numbered
from ops.report import claims, evidence, page, plain
from tests.unit.ops.report_facts import SENTINEL, with_

SECRETS = ['s3cret-"with"-quotes/and+signs', "another-secret-of-the-stack", "a secret\nof two long lines"]


def test_no_secret_is_left_whatever_it_stands_in() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvcGVyYXRvciJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
    spoiled = with_(
        seen__host__name=SECRETS[0],
        seen__backup={"ok": False, "error": f"pg_dump postgres://sentinel:{SECRETS[1]}@db", SECRETS[1]: 1},
        rollback={"error": f'"{SECRETS[0]}" https://x/?key=s3cret-%22with%22-quotes%2Fand%2Bsigns'},
        verification__claude={"ok": False, "detail": f"Authorization: Bearer {token}"},
        firewall__show={"error": "of two long lines"},
    )
    cleaned = evidence.clean(spoiled, [word for one in SECRETS for word in evidence.texts_of_secret(one)])
    found = claims.Report.of(cleaned)
    for text in (page.html(found), plain.text(found), plain.short(found), str(cleaned)):
        assert not [part for part in ("s3cret", SECRETS[1], "of two long lines", token) if part in text]
        assert "[hidden]" in text


def test_a_secret_that_is_an_object_is_known_by_each_text_in_it() -> None:
    assert "deep-inside-it" in evidence.texts_of_secret('{"a": ["deep-inside-it", 1], "b": null}')


def state(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "outputs": {"name": name}, **more}


def test_containers_and_plugins_come_from_the_state_without_what_waits_to_be_deleted() -> None:
    record = {"kind": "contextforge", "containers": [{"name": "forge-1"}, {"name": "redis-1"}]}
    resources = [
        state(evidence.CONTAINER, SENTINEL),
        state(evidence.CONTAINER, "older", delete=True),
        {"type": "pulumi:providers:docker", "inputs": {"version": "5.2.0"}},
        {"type": "sentinel-cutover:index:Predecessor", "outputs": {"record": record}},
    ]
    assert evidence.containers_in(resources) == [SENTINEL, "forge-1", "redis-1"]
    assert evidence.plugins_in(resources) == {"docker": "5.2.0"}


def test_the_update_is_the_one_within_which_the_port_changed_hands() -> None:
    def update(minute: int, end: int | None) -> automation.UpdateSummary:
        ended = datetime(2026, 11, 27, 1, end) if end else None
        return automation.UpdateSummary("update", datetime(2026, 11, 27, 1, minute), "", {"git.head": "abc"}, {},
                                        "succeeded", ended)  # fmt: skip

    updates = numbered([update(30, 31), update(10, 20), update(1, 5)])
    found = evidence.update_of(updates, "2026-11-27T01:19:59.900Z")
    assert (found["number"], found["around"]) == (2, {"git.head": "abc"})
    assert evidence.update_of(updates, "2026-11-27T01:25:00.000Z") == {"number": 0}
