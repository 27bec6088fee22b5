"""Threat: a request to 9200 without a valid token, by another name, from a web page, or with too large a body."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.integration.bridge.client import SECRET, Answer, headers, initialize, message, request, token
from tests.integration.bridge.parts import Bridge, running_bridge, stdio_backend
from tests.integration.bridge.postgres import Database

BODY_LIMIT_BYTES = 100_000
UNSERVED = ("PUT", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW")
"""Unsupported methods, one of them unknown to HTTP."""


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Generator[Bridge]:
    folder = tmp_path_factory.mktemp("bridge")
    with running_bridge(folder, [stdio_backend("alpha")], database.url(), body_limit_bytes=BODY_LIMIT_BYTES) as started:
        yield started


def unsigned() -> str:
    """`alg: none`, made by hand: PyJWT would not verify it, and should not make it either."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"sub": "x", "iss": "sentinel-gateway", "aud": "sentinel-api", "exp": int(time.time()) + 600}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def raw(bridge: Bridge, method: str, target: str, sent: dict[str, str]) -> Answer:
    """A request whose target and headers go out as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, target, headers={"Host": f"127.0.0.1:{bridge.port}", **sent})
        got = connection.getresponse()
        return Answer(got.status, {key.lower(): value for key, value in got.getheaders()}, got.read())


def bearer(text: str) -> str:
    return f"Bearer {text}"


REFUSED: dict[str, tuple[Callable[[], str | None], str]] = {
    "no-token": (lambda: None, "no token"),
    "other-scheme": (lambda: "Basic dTpw", "not of the form"),
    "no-jwt": (lambda: bearer("abc"), "not a valid JWT"),
    "wrong-issuer": (lambda: bearer(token(iss="mcpgateway")), "issuer"),
    "wrong-audience": (lambda: bearer(token(aud="mcpgateway-api")), "audience"),
    "expired": (lambda: bearer(token(exp=int(time.time()) - 120)), "expired"),
    "not-yet-valid": (lambda: bearer(token(nbf=int(time.time()) + 120)), "not valid yet"),
    "issued-in-the-future": (lambda: bearer(token(iat=int(time.time()) + 120)), "not valid yet"),
    "never-expires": (lambda: bearer(token(exp=None)), "lacks a claim"),
    "nobodys": (lambda: bearer(token(sub=None)), "lacks a claim"),
    "other-key": (lambda: bearer(token(key="another-secret-that-is-also-long-enough")), "another key"),
    "other-hash": (lambda: bearer(token(algorithm="HS512", key=SECRET * 2)), "not HS256"),
    "alg-none": (lambda: bearer(unsigned()), "not HS256"),
}


@pytest.mark.parametrize(("made", "reason"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE", "PUT"])
def test_a_request_without_a_good_token_gets_401_and_the_reason(
    bridge: Bridge, method: str, made: Callable[[], str | None], reason: str
) -> None:
    sent = headers()
    del sent["Authorization"]
    # Made now: one that was made when the tests were collected has expired before a long session comes to it.
    authorization = made()
    if authorization is not None:
        sent["Authorization"] = authorization
    answer = request(bridge.url, method, initialize() if method == "POST" else None, sent)
    assert answer.status == 401
    assert reason in answer.json()["error_description"]
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method", UNSERVED)
def test_an_unsupported_method_is_401_without_a_token_and_405_only_with_one(bridge: Bridge, method: str) -> None:
    refused = request(bridge.url, method)
    assert (refused.status, refused.headers["www-authenticate"], "allow" in refused.headers) == (401, "Bearer", False)
    assert request(bridge.url, method, headers={"Origin": "http://evil.example"}).status == 403
    answer = request(bridge.url, method, headers=headers())
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST, DELETE")
    if method != "HEAD":
        assert "no token" in refused.json()["error_description"]
        assert answer.json()["error"] == "method_not_allowed"
    assert request(bridge.url.removesuffix("/mcp") + "/other", method, headers=headers()).status == 404


def test_a_good_token_is_refused_too_when_it_expires_during_the_session(bridge: Bridge) -> None:
    session = request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"]
    old = headers(Mcp_Session_Id=session, Authorization=bearer(token(exp=int(time.time()) - 61)))
    assert request(bridge.url, "POST", message("tools/list"), old).status == 401


def test_a_session_belongs_to_its_subject(bridge: Bridge) -> None:
    session = request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"]
    other = headers(Mcp_Session_Id=session, Authorization=bearer(token(sub="somebody-else")))
    assert request(bridge.url, "POST", message("tools/list"), other).status == 404


def test_an_unknown_path_is_401_without_a_token(bridge: Bridge) -> None:
    base = bridge.url.removesuffix("/mcp")
    assert request(f"{base}/metrics", "GET").status == 401
    assert request(f"{base}/metrics", "GET", headers=headers()).status == 404


@pytest.mark.parametrize("target", ["*", "mcp", "[x", "http://127.0.0.1/mcp", "//[x/mcp"])
def test_a_target_that_is_no_path_is_401_without_a_token(bridge: Bridge, target: str) -> None:
    assert raw(bridge, "OPTIONS", target, {}).status == 401
    assert raw(bridge, "OPTIONS", target, headers()).status == 404


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:9200", "127.0.0.1", "127.0.0.1:80", "[x", "x]", "[::1", "a:b:c", "\xbd"]
)
def test_another_host_name_is_refused_before_the_token_is_checked(bridge: Bridge, name: str) -> None:
    assert request(bridge.url, "POST", initialize(), headers(Host=name)).status == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_origin_is_refused(bridge: Bridge, origin: str) -> None:
    assert request(bridge.url, "POST", initialize(), headers(Origin=origin)).status == 403


@settings(max_examples=150, deadline=None)
@given(rest=st.text(st.sampled_from("[]:/@?#%\\.x1\xbd\xff"), min_size=1, max_size=12))
@example(rest="[x")
@example(rest="]")
@example(rest="[zz]:1")
@example(rest="[::1")
@example(rest="127.0.0.1:9200[")
def test_an_origin_that_is_no_address_is_another_origin(bridge: Bridge, rest: str) -> None:
    answer = raw(bridge, "POST", "/mcp", {"Origin": f"http://{rest}"})
    assert (answer.status, answer.json()["error"]) == (403, "wrong_origin")


def test_its_own_origin_is_accepted(bridge: Bridge) -> None:
    own = headers(Origin=f"http://127.0.0.1:{bridge.port}")
    assert request(bridge.url, "POST", initialize(), own).status == 200


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_over_the_limit_is_refused_with_413(bridge: Bridge, chunked: bool) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=10)
    body = b'"' + b"x" * (2 * BODY_LIMIT_BYTES) + b'"'
    pieces = (body[at : at + 4096] for at in range(0, len(body), 4096))
    connection.request("POST", "/mcp", pieces if chunked else body, headers(), encode_chunked=chunked)
    assert connection.getresponse().status == 413


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"method":"ping","id":1}', "application/json", 400),
        (b"{}", "text/plain", 415),
    ],
    ids=["no-json", "batch", "no-jsonrpc", "no-json-type"],
)
def test_a_body_that_is_not_one_json_rpc_message_is_refused(
    bridge: Bridge, body: bytes, content_type: str, status: int
) -> None:
    assert request(bridge.url, "POST", body, headers(Content_Type=content_type)).status == status


def test_no_secret_is_in_the_log_the_arguments_or_the_bridges_own_environment(bridge: Bridge) -> None:
    pid = bridge.program.process.pid
    for own in (f"/proc/{pid}/cmdline", f"/proc/{pid}/environ"):
        assert SECRET.encode() not in Path(own).read_bytes()
    (child,) = bridge.children()
    assert SECRET.encode() not in Path(f"/proc/{child}/cmdline").read_bytes()
    assert SECRET not in bridge.program.log() and "of-the-tests" not in bridge.program.log()


def test_no_refused_request_left_a_traceback_in_the_log(bridge: Bridge) -> None:
    """The last of this file: the log is that of all requests above."""
    assert "Traceback" not in bridge.program.log()
