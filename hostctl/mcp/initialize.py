"""The first good answer: an MCP `initialize` with a bearer token, or a GET.

Owns: one attempt, waiting for a good one, ending the session that it opened.
Deliberately does not: print the token or a body.
Connection attempts are short: while Docker moves a port an attempt may hang instead of being refused (measured).
Source of the request: Model Context Protocol, streamable HTTP, 2025-06-18.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from hostctl.core.documents import parsed, table
from hostctl.core.errors import Refusal

CONNECT_SECONDS = 0.05
FIRST_ANSWER_SECONDS = 0.3
LONGEST_ANSWER_SECONDS = 5.0
PAUSE_SECONDS = 0.005
LOOK_SECONDS = 0.5
PROTOCOL = "2025-06-18"
_BODY = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": PROTOCOL,
            "capabilities": {},
            "clientInfo": {"name": "sentinel-cutover-hostctl", "version": "1"},
        },
    }
).encode()


@dataclass(frozen=True)
class Target:
    """Where to ask; without a token file it is a GET, with one an MCP initialize. `host` is the Host header."""

    address: str
    port: int
    path: str
    host: str
    token_file: str = ""


@dataclass(frozen=True)
class Answer:
    """What one attempt brought: good or not, why not, and whether asking again can help."""

    good: bool
    reason: str = ""
    final: bool = False
    session: str = ""


def token_in(path: str) -> str:
    """The bearer token in a file; raises Refusal when there is none."""
    try:
        with open(path, encoding="ascii") as file:
            token = file.read().strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not plain text"
        raise Refusal(f"the token file {path} cannot be read ({reason}): write it with 'token write'") from None
    if not token or any(ord(sign) <= 32 for sign in token):
        raise Refusal(f"the token file {path} does not hold one token: write it with 'token write'")
    return token


def wait(target: Target, seconds: float, any_answer: bool = False, between: Callable[[], None] | None = None) -> Answer:
    """Ask until the answer is good, cannot become good, or `seconds` have passed; the last answer says why.

    An attempt without an answer makes the next one wait longer, so that a slow gateway is heard as well. With
    `any_answer` a refusal of the token is good enough: somebody serves. `between` looks twice a second, or after an
    attempt that took longer, whether there is anything to wait for, and raises where there is not.
    """
    token = token_in(target.token_file) if target.token_file else ""
    looked = time.monotonic()
    end = looked + seconds
    patience = FIRST_ANSWER_SECONDS
    while True:
        answer = once(target, token, min(patience, max(0.05, end - time.monotonic())), any_answer)
        now = time.monotonic()
        if answer.good or answer.final or now >= end:
            return answer
        if between is not None and now - looked >= LOOK_SECONDS:
            between()
            looked = now
        if answer.reason == "no answer in time":
            patience = min(patience * 2, LONGEST_ANSWER_SECONDS)
        time.sleep(PAUSE_SECONDS)


def once(target: Target, token: str, seconds: float, any_answer: bool = False) -> Answer:
    """One attempt of at most CONNECT_SECONDS to connect and `seconds` to answer."""
    connection = http.client.HTTPConnection(target.address, target.port, timeout=CONNECT_SECONDS)
    try:
        try:
            connection.connect()
        except OSError as error:
            return Answer(False, f"no connection ({error.strerror or 'timed out'})")
        connection.sock.settimeout(seconds)
        if token:
            connection.request("POST", target.path, _BODY, _headers(target, token))
        else:
            connection.request("GET", target.path, headers={"Host": target.host})
        return _judged(connection.getresponse(), bool(token), any_answer)
    except socket.timeout:
        return Answer(False, "no answer in time")
    except (OSError, http.client.HTTPException):
        return Answer(False, "the connection was closed without an answer")
    finally:
        connection.close()


def end_session(target: Target, answer: Answer) -> None:
    """Close the MCP session of a good answer; a server that keeps none, or does not answer, is no error."""
    if not answer.session:
        return
    headers = {**_headers(target, token_in(target.token_file)), "Mcp-Session-Id": answer.session}
    connection = http.client.HTTPConnection(target.address, target.port, timeout=1)
    try:
        connection.request("DELETE", target.path, headers=headers)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()


def _headers(target: Target, token: str) -> dict[str, str]:
    return {
        "Host": target.host,
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
    }


def _judged(response: http.client.HTTPResponse, mcp: bool, any_answer: bool) -> Answer:
    status = response.status
    if any_answer and (status < 400 or status in (401, 403)):
        return Answer(True)
    if status in (401, 403) and mcp:
        return Answer(False, f"HTTP {status}, the token is refused", final=True)
    if status != http.client.OK:
        return Answer(False, f"HTTP {status}")
    if not mcp:
        return Answer(True)
    result = _result(response)
    if result is None:
        return Answer(False, "HTTP 200, but no MCP result")
    return Answer(True, session=response.getheader("Mcp-Session-Id") or "")


def _result(response: http.client.HTTPResponse) -> dict[str, object] | None:
    # An event stream may stay open after the answer, so it is read by lines and no further than the answer.
    stream = (response.getheader("Content-Type") or "").startswith("text/event-stream")
    while True:
        text = response.readline(1 << 20) if stream else response.read(1 << 20)
        if not text:
            return None
        if stream and not text.startswith(b"data:"):
            continue
        result = table(parsed(text[5:] if stream else text)).get("result")
        if isinstance(result, dict):
            return table(result)
        if not stream:
            return None
