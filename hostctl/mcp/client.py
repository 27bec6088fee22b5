"""MCP over streamable HTTP, standard library only: the client of every verb that talks to a gateway.

Deliberately does not: print or repeat a header, or judge a tool's answer (`call_tools`).
Source of the messages: Model Context Protocol, streamable HTTP, 2025-06-18.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from hostctl.core import http_json
from hostctl.core.documents import parsed, rows, table
from hostctl.core.errors import Refusal
from hostctl.core.http_json import NoAnswer, Response

PROTOCOL = "2025-06-18"
CLOSE_SECONDS = 1.0
MOST_PAGES = 100
REFUSED = (401, 403)
_SESSION = "Mcp-Session-Id"
_EVENT_STREAM = "text/event-stream"


class CallFailed(Exception):
    """A request without a good answer, in a few words that hold nothing of a header."""


def token_in(path: str) -> str:
    """The bearer token in a file; raises Refusal when there is none."""
    try:
        with open(path, encoding="ascii") as file:
            token = file.read().strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not plain text"
        raise Refusal(f"the token file {path} cannot be read ({reason}): write it with 'token write'") from None
    if not token or any(ord(character) <= 32 for character in token):
        raise Refusal(f"the token file {path} does not hold one token: write it with 'token write'")
    return token


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def opening(
    url: str, headers: Mapping[str, str], *, seconds: float, connect_seconds: float = http_json.CONNECT_SECONDS
) -> AbstractContextManager[Response]:
    """The answer to `initialize`, unread; raises NoAnswer."""
    parameters = {
        "protocolVersion": PROTOCOL,
        "capabilities": {},
        "clientInfo": {"name": "sentinel-cutover-hostctl", "version": "1"},
    }
    message = _message("initialize", parameters, 0)
    return http_json.opened("POST", url, message, _accepting(headers), seconds=seconds, connect_seconds=connect_seconds)


def result_in(response: Response) -> dict[str, Any] | None:
    """The result in an answer, None without one; raises NoAnswer. An open event stream is read no further."""
    result = table(_answer_in(response)).get("result")
    return table(result) if isinstance(result, dict) else None


class Session:
    """One session. Each exchange has a connection of its own, so that calls can run side by side."""

    def __init__(self, url: str, headers: Mapping[str, str], identity: str = "") -> None:
        self.identity, self._url = identity, url
        named = {_SESSION: identity} if identity else {}
        self._headers = {**_accepting(headers), "MCP-Protocol-Version": PROTOCOL, **named}
        self._numbers = itertools.count(1)

    @classmethod
    def open(cls, url: str, headers: Mapping[str, str], seconds: float) -> Session:
        """Initialize and acknowledge; raises CallFailed."""
        try:
            with opening(url, headers, seconds=seconds) as response:
                _require_good(response.status, "initialize")
                if result_in(response) is None:
                    raise CallFailed("no MCP result to initialize")
                session = cls(url, headers, session_in(response))
        except NoAnswer as error:
            raise CallFailed(str(error)) from None
        session.acknowledge(seconds)
        return session

    def acknowledge(self, seconds: float) -> None:
        """Report the session as in use; raises CallFailed."""
        try:
            method = "notifications/initialized"
            answer = http_json.exchange("POST", self._url, _message(method), self._headers, seconds=seconds)
        except NoAnswer as error:
            raise CallFailed(str(error)) from None
        _require_good(answer.status, method)

    def tools(self, seconds: float) -> Iterator[dict[str, Any]]:
        """Every listed tool, page by page; raises CallFailed."""
        cursor: dict[str, Any] = {}
        for _ in range(MOST_PAGES):
            page = table(self.request("tools/list", cursor, seconds).get("result"))
            yield from map(table, rows(page.get("tools")))
            if not page.get("nextCursor"):
                return
            cursor = {"cursor": page["nextCursor"]}

    def call(self, tool: str, arguments: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to `tools/call`, with its "result" or its "error"; raises CallFailed."""
        return self.request("tools/call", {"name": tool, "arguments": dict(arguments)}, seconds)

    def request(self, method: str, parameters: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The whole answer to a request, empty where the gateway sent no message; raises CallFailed."""
        # Two requests of one session at the same time need two ids; next() of a count is atomic.
        message = _message(method, parameters, next(self._numbers))
        try:
            with http_json.opened("POST", self._url, message, self._headers, seconds=seconds) as response:
                _require_good(response.status, method)
                return _answer_in(response) or {}
        except NoAnswer as error:
            raise CallFailed(str(error)) from None

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """End the session; a server that keeps none, or does not answer, is not an error."""
        if not self.identity:
            return
        try:
            http_json.exchange("DELETE", self._url, None, self._headers, seconds=seconds)
        except NoAnswer:
            return


def session_in(response: Response) -> str:
    """The session's id in the answer to `initialize`, empty where the server keeps none."""
    return response.header(_SESSION)


def _accepting(headers: Mapping[str, str]) -> dict[str, str]:
    return {**headers, "Accept": f"application/json, {_EVENT_STREAM}"}


def _message(method: str, parameters: Mapping[str, Any] | None = None, number: int | None = None) -> dict[str, Any]:
    identity = {} if number is None else {"id": number}
    return {"jsonrpc": "2.0", **identity, "method": method, **({} if parameters is None else {"params": parameters})}


def _require_good(status: int, method: str) -> None:
    if status in REFUSED:
        raise CallFailed(f"the token is refused (HTTP {status})")
    if status >= 300:
        raise CallFailed(f"HTTP {status} to {method}")


def _answer_in(response: Response) -> dict[str, Any] | None:
    if not response.header("Content-Type").startswith(_EVENT_STREAM):
        return parsed(b"".join(response.chunks()))
    for data in _events(response):
        message = parsed(data)
        # A server's own requests and notifications may come before the answer.
        if message is not None and ("result" in message or "error" in message):
            return message
    return None


def _events(response: Response) -> Iterator[bytes]:
    """The data of each server-sent event as soon as it is complete; several lines of data are one text."""
    data: list[bytes] = []
    for line in _lines(response):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data = []
    if data:
        yield b"\n".join(data)


def _lines(response: Response) -> Iterator[bytes]:
    rest = b""
    for chunk in response.chunks():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.rstrip(b"\r") for line in lines)
    if rest:
        yield rest.rstrip(b"\r")
