"""The backends' probes through the port, with the header that Claude would send, by the standard library alone.

Owns: one session, its calls side by side, its end, and the check of an answer's text. The kind of a result and JSON
paths are checked by `verify`, which has the official SDK and runs elsewhere.
Deliberately does not: print or keep the header. Source of the messages: Model Context Protocol, streamable HTTP,
2025-06-18.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from hostctl.core.documents import parsed, rows, table
from hostctl.mcp import initialize
from hostctl.mcp.probe import Probe

CONNECT_SECONDS = 10.0
_LONGEST = 120


class NoAnswer(Exception):
    """In a few words; holds nothing of a header."""


def call_all(url: str, headers: Mapping[str, str], probes: Sequence[Probe]) -> dict[str, str]:
    """Each backend's fault, empty for an expected answer; never raises for an error of the gateway."""
    session = _Session(url, headers)
    try:
        session.open()
    except NoAnswer as error:
        return {probe.name: str(error) for probe in probes}
    try:
        with ThreadPoolExecutor(max_workers=8) as pool:
            # Two calls of one session at the same time need two ids.
            return dict(
                zip([probe.name for probe in probes], pool.map(session.fault, probes, range(1, len(probes) + 1)))
            )
    finally:
        session.close()


class _Session:
    """One session; each exchange has a connection of its own, so that a slow backend holds up no other."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 80, parts.path or "/"
        self._headers = {
            **headers,
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }

    def open(self) -> None:
        parameters = {
            "protocolVersion": initialize.PROTOCOL,
            "capabilities": {},
            "clientInfo": {"name": "sentinel-cutover-hostctl", "version": "1"},
        }
        _, session = self._exchange("initialize", parameters, CONNECT_SECONDS, 0)
        self._headers["Mcp-Protocol-Version"] = initialize.PROTOCOL
        if session:
            self._headers["Mcp-Session-Id"] = session
        self._exchange("notifications/initialized", None, CONNECT_SECONDS, None)

    def close(self) -> None:
        """A server that keeps no session, or does not answer, is no error."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            connection.request("DELETE", self._path, headers=self._headers)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def fault(self, probe: Probe, number: int) -> str:
        """The fault of the answer to this probe, called under this id; empty for an expected one."""
        parameters = {"name": probe.tool, "arguments": probe.arguments}
        try:
            message, _ = self._exchange("tools/call", parameters, probe.timeout_seconds, number)
        except NoAnswer as error:
            return str(error)
        if "result" not in message:
            return _short(str(table(message.get("error")).get("message") or "no result"))
        result = table(message["result"])
        text = "\n".join(str(table(part).get("text", "")) for part in rows(result.get("content")))
        if result.get("isError"):
            return _short(text) or "an error without a word"
        missing = [required for required in probe.expect.contains if required not in text]
        excluded = [found for found in probe.expect.excludes if found in text]
        if missing or excluded:
            return f"{(missing or excluded)[0]!r} is {'not ' if missing else ''}in the answer"
        return ""

    def _exchange(
        self, method: str, parameters: Mapping[str, Any] | None, seconds: float, number: int | None
    ) -> tuple[dict[str, Any], str]:
        """The answer's message and the session that it names; raises NoAnswer."""
        content: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        content |= {} if parameters is None else {"params": parameters}
        content |= {} if number is None else {"id": number}
        connection = http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        try:
            connection.request("POST", self._path, json.dumps(content), self._headers)
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise NoAnswer(f"no answer ({error.strerror or 'timed out'})") from None
        except http.client.HTTPException:
            raise NoAnswer("the connection was closed without an answer") from None
        finally:
            connection.close()
        if answer.status in (401, 403):
            raise NoAnswer(f"the token is refused (HTTP {answer.status})")
        if answer.status >= http.client.BAD_REQUEST:
            raise NoAnswer(f"HTTP {answer.status} to {method}")
        # As an event stream the answer is a line of its data.
        lines = [line[5:] if line.startswith(b"data:") else line for line in text.splitlines()]
        found = [message for message in map(parsed, lines) if message and ("result" in message or "error" in message)]
        return (found[-1] if found else {}), answer.getheader("Mcp-Session-Id") or ""


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
