"""HTTP with JSON bodies: one request, one answer, limited in seconds and bytes.

Owns: the connection and its end, the limits, JSON in both directions, a missing answer in a few words.
Deliberately does not: repeat a request, follow a redirect, judge a status, or name a header or an address in an error:
either may be a secret. Docker's Unix socket is `docker/engine.py`'s.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

CONNECT_SECONDS = 10.0
MOST_BYTES = 1 << 24
LATE = "no answer in time"
CLOSED = "the connection was closed without an answer"
_CHUNK = 1 << 16


class NoAnswer(Exception):
    """No usable answer, in a few words; `reason` is for a sentence that already says so.

    Without a connection the request was certainly not carried out.
    """

    def __init__(self, message: str, *, reason: str, connected: bool) -> None:
        super().__init__(message)
        self.reason, self.connected = reason, connected


@dataclass(frozen=True)
class Answer:
    """A whole answer; `body` is its JSON, None where it holds none."""

    status: int
    text: str
    body: Any
    headers: Mapping[str, str]

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Response:
    """An answer whose content has not been read yet."""

    def __init__(self, answer: http.client.HTTPResponse, wire: socket.socket, end: float, most_bytes: int) -> None:
        self._answer, self._wire, self._end, self._most_bytes = answer, wire, end, most_bytes
        self.status = answer.status

    def header(self, name: str) -> str:
        """The value of a header, empty where it is absent."""
        return self._answer.getheader(name) or ""

    @property
    def headers(self) -> dict[str, str]:
        """The headers by name, in lower case."""
        return {name.lower(): value for name, value in self._answer.getheaders()}

    def chunks(self) -> Iterator[bytes]:
        """The content as it arrives; raises NoAnswer."""
        length, read = self._answer.length, 0
        while length is None or read < length:
            self._wire.settimeout(max(0.001, self._end - time.monotonic()))
            with _as_no_answer():
                # Python before 3.13 does not subtract what read1 returns from the length.
                chunk = self._answer.read1(_CHUNK if length is None else min(_CHUNK, length - read))
            if not chunk:
                return
            read += len(chunk)
            if read > self._most_bytes:
                message = f"the answer is longer than {self._most_bytes} bytes"
                raise NoAnswer(message, reason=message, connected=True)
            yield chunk


def exchange(
    method: str,
    url: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    seconds: float,
    most_bytes: int = MOST_BYTES,
) -> Answer:
    """Send a request with `body` as JSON, unless it is None, and read the whole answer; raises NoAnswer."""
    with opened(method, url, body, headers, seconds=seconds, most_bytes=most_bytes) as response:
        text = b"".join(response.chunks()).decode("utf-8", "replace")
        return Answer(response.status, text, _json(text), response.headers)


@contextmanager
def opened(
    method: str,
    url: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    seconds: float,
    connect_seconds: float = CONNECT_SECONDS,
    most_bytes: int = MOST_BYTES,
) -> Generator[Response]:
    """The answer to a request, its content unread, for the block; raises NoAnswer.

    Connecting may take `connect_seconds`, or `seconds` where that is less, and everything after it `seconds`.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=min(connect_seconds, seconds))
    try:
        try:
            connection.connect()
        except (OSError, UnicodeError) as error:
            reason = str(getattr(error, "strerror", None) or "timed out")
            raise NoAnswer(f"no connection ({reason})", reason=reason, connected=False) from None
        wire, end = connection.sock, time.monotonic() + seconds
        wire.settimeout(seconds)
        content = None if body is None else json.dumps(body).encode()
        with _as_no_answer():
            connection.request(method, _target(parts.path, parts.query), content, _headers(content, headers))
            answer = connection.getresponse()
        yield Response(answer, wire, end, most_bytes)
    finally:
        connection.close()


@contextmanager
def _as_no_answer() -> Generator[None]:
    try:
        yield
    except socket.timeout:
        raise NoAnswer(LATE, reason="timed out", connected=True) from None
    except (OSError, http.client.HTTPException):
        raise NoAnswer(CLOSED, reason="the connection was closed", connected=True) from None


def _target(path: str, query: str) -> str:
    return (path or "/") + (f"?{query}" if query else "")


def _headers(content: bytes | None, headers: Mapping[str, str] | None) -> dict[str, str]:
    typed = {} if content is None else {"Content-Type": "application/json"}
    return {"User-Agent": "sentinel-cutover", **typed, **(headers or {})}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
