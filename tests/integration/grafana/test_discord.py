"""The double of Discord answers as in Discord's documentation: limits, unknown webhooks, too many messages."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from lab.doubles.discord import sink as limits
from tests.integration.grafana.conftest import PATH, Sink

Answer = tuple[int, Any, dict[str, str]]


def post(sink: Sink, body: object, path: str = PATH) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=5)
    content = body if isinstance(body, str) else json.dumps(body)
    connection.request("POST", path, content.encode(), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text else None, dict(answer.getheaders())


def embed(**parts: object) -> dict[str, Any]:
    return {"embeds": [parts]}


def fields(count: int, **changes: object) -> dict[str, Any]:
    return embed(fields=[{"name": "n", "value": "v", **changes}] * count)


@pytest.mark.parametrize(
    ("message", "where"),
    [
        ({"content": "c" * 2000}, ""),
        ({"content": "c" * 2001}, "content"),
        ({}, "_"),
        ({"content": "x", "username": "u" * 81}, "username"),
        (embed(title="t" * 256, description="d" * 4096), ""),
        (embed(title="t" * 257), "embeds.0.title"),
        (embed(description="d" * 4097), "embeds.0.description"),
        (embed(footer={"text": "f" * 2049}), "embeds.0.footer.text"),
        (embed(author={"name": "a" * 257}), "embeds.0.author.name"),
        (embed(title="t", color=0xFFFFFF), ""),
        (embed(title="t", color=0x1000000), "embeds.0.color"),
        (embed(title="t", color="red"), "embeds.0.color"),
        (fields(25), ""),
        (fields(26), "embeds.0.fields"),
        (fields(1, name="n" * 257), "embeds.0.fields.0.name"),
        (fields(1, value="v" * 1025), "embeds.0.fields.0.value"),
        (fields(1, value=""), "embeds.0.fields.0.value"),
        ({"embeds": [{"title": "t"}] * 10}, ""),
        ({"embeds": [{"title": "t"}] * 11}, "embeds"),
        ({"embeds": [{"description": "d" * 3000}] * 2}, ""),
        ({"embeds": [{"description": "d" * 3000}, {"description": "d" * 3001}]}, "embeds"),
    ],
)
def test_a_message_on_a_limit_is_accepted_and_one_beyond_it_is_refused_by_name(
    sink: Sink, message: dict[str, Any], where: str
) -> None:
    status, body, _ = post(sink, message)
    if where:
        assert (status, body["code"]) == (400, 50035)
        assert set(body["errors"]) == {where}
        assert sink.messages() == []
    else:
        assert (status, body) == (204, None)
        assert {key: one for key, one in sink.messages()[0].items() if key != "at"} == message


def test_only_its_own_webhook_is_known(sink: Sink) -> None:
    assert post(sink, {"content": "x"}, PATH + "x")[:2] == (404, {"message": "Unknown Webhook", "code": 10015})
    assert post(sink, {"content": "x"}, "/")[0] == 404
    assert sink.messages() == []


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"'])
def test_a_body_that_is_no_message_is_refused(sink: Sink, body: str) -> None:
    assert post(sink, body)[0] == 400


def test_with_wait_the_message_is_returned(sink: Sink) -> None:
    status, body, _ = post(sink, {"content": "x"}, PATH + "?wait=true")
    assert (status, body["content"]) == (200, "x") and body["id"].isdigit()


def test_too_many_messages_are_refused_with_the_seconds_to_wait_twice_over(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RATE_SECONDS", 60.0)
    left = [post(sink, {"content": "x"})[2]["X-RateLimit-Remaining"] for _ in range(limits.RATE)]
    assert left == ["4", "3", "2", "1", "0"]
    status, body, headers = post(sink, {"content": "x"})
    assert status == 429
    assert 58 < body["retry_after"] <= 60 and body["global"] is False
    assert int(headers["Retry-After"]) == round(body["retry_after"])
    assert len(sink.messages()) == limits.RATE


def test_after_the_wait_there_is_room_again(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATE_SECONDS", 0.0)
    assert {post(sink, {"content": "x"})[0] for _ in range(2 * limits.RATE)} == {204}
