"""One harmless call a backend through the port, with the header that Claude would send, by the standard library alone.

Owns: one session, its calls side by side, its end, and whether an answer is a good one. Schemas and JSON paths are
looked at by `verify`, which has the official SDK and runs elsewhere.
Deliberately does not: print or keep the header. Source of the messages: Model Context Protocol, streamable HTTP,
2025-06-18.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hostctl.core.documents import Document, parsed, rows, table
from hostctl.mcp import initialize

CONNECT_SECONDS = 10.0
_LONGEST = 120


@dataclass(frozen=True)
class Question:
    """A call, and what its text must and must not hold; `why_allowed` is why it may fail, empty when it may not."""

    name: str
    tool: str
    arguments: Mapping[str, Any]
    contains: Sequence[str]
    excludes: Sequence[str]
    seconds: float
    why_allowed: str = ""

    @classmethod
    def of(cls, document: Document) -> Question:
        return cls(
            document.text("name"),
            document.text("tool"),
            document.object("arguments", {}).values,
            document.texts("contains"),
            document.texts("excludes"),
            document.seconds("timeout_seconds", 30),
            document.text("why_allowed", ""),
        )


class NoAnswer(Exception):
    """In a few words; holds nothing of a header."""


def ask_all(url: str, headers: Mapping[str, str], questions: Sequence[Question]) -> dict[str, str]:
    """Name to what is wrong with its answer, empty when it is good; never raises for what a gateway does."""
    way = _Way(url, headers)
    try:
        way.open()
    except NoAnswer as error:
        return {question.name: str(error) for question in questions}
    try:
        with ThreadPoolExecutor(max_workers=8) as pool:
            # Two calls of one session at the same time need two ids.
            return dict(
                zip([one.name for one in questions], pool.map(way.judged, questions, range(1, len(questions) + 1)))
            )
    finally:
        way.close()


class _Way:
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

    def judged(self, question: Question, number: int) -> str:
        """What is wrong with the answer to this question, asked under this id."""
        parameters = {"name": question.tool, "arguments": dict(question.arguments)}
        try:
            message, _ = self._exchange("tools/call", parameters, question.seconds, number)
        except NoAnswer as error:
            return str(error)
        if "result" not in message:
            return _short(str(table(message.get("error")).get("message") or "no result"))
        result = table(message["result"])
        text = "\n".join(str(table(part).get("text", "")) for part in rows(result.get("content")))
        if result.get("isError"):
            return _short(text) or "an error without a word"
        missing = [wanted for wanted in question.contains if wanted not in text]
        unwanted = [found for found in question.excludes if found in text]
        if missing or unwanted:
            return f"{(missing or unwanted)[0]!r} is {'not ' if missing else ''}in the answer"
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
