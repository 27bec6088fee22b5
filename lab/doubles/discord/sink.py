"""The webhook's HTTP side.

Owns: routes, status codes, rate limit headers, the file of what was posted.
Deliberately does not: check a message (limits.py), or answer for its name (lab/box/outside.py).
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from lab.doubles.discord.limits import refusals

RATE, RATE_SECONDS = 5, 2.0
"""Messages a webhook takes in so many seconds. Discord documents no number, only the headers and the 429."""

_BODY_LIMIT = 10 * 1024 * 1024


@dataclass
class Discord:
    """One webhook, known by the path of its address, and what was posted to it.

    `more` is a file of further ones, an address a line, as a channel may have several; it is read at each request.
    """

    path: str
    record: Path
    rate: int = RATE
    more: Path | None = None
    _posted: deque[float] = field(default_factory=deque[float])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def knows(self, path: str) -> bool:
        lines = self.more.read_text(encoding="utf-8").split() if self.more else []
        return path in (self.path, *(urlsplit(line).path for line in lines))

    def take(self, message: dict[str, Any]) -> tuple[float, float]:
        """Record the message unless the rate is exceeded; (seconds to wait, messages left)."""
        with self._lock:
            now = time.monotonic()
            while self._posted and self._posted[0] <= now - RATE_SECONDS:
                self._posted.popleft()
            if len(self._posted) >= self.rate:
                return self._posted[0] + RATE_SECONDS - now, 0
            self._posted.append(now)
            with self.record.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"at": time.time(), **message}) + "\n")
            return 0, self.rate - len(self._posted)


def server(discord: Discord, address: str, port: int) -> ThreadingHTTPServer:
    """The server, bound and not yet serving."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not discord.knows(urlsplit(self.path).path):
                self._unknown()
                return
            identity = self.path.split("/")[3]
            self._answer(200, {"type": 1, "id": identity, "name": "sentinel", "channel_id": "1", "guild_id": "1"})

        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _BODY_LIMIT))
            parts = urlsplit(self.path)
            if not discord.knows(parts.path):
                self._unknown()
                return
            try:
                parsed: Any = json.loads(body)
            except ValueError:
                parsed = None
            if not isinstance(parsed, dict):
                self._answer(400, {"message": "The request body contains invalid JSON.", "code": 50109})
                return
            message = cast("dict[str, Any]", parsed)
            found = refusals(message)
            if found:
                self._answer(400, {"message": "Invalid Form Body", "code": 50035, "errors": found})
                return
            wait, left = discord.take(message)
            limits = {"X-RateLimit-Limit": str(discord.rate), "X-RateLimit-Remaining": f"{left:g}"}
            if wait:
                refusal = {"message": "You are being rate limited.", "retry_after": round(wait, 3), "global": False}
                self._answer(429, refusal, {**limits, "Retry-After": str(max(1, round(wait)))})
            elif parse_qs(parts.query).get("wait") == ["true"]:
                self._answer(200, {"id": str(time.time_ns()), **message}, limits)
            else:
                self._answer(204, None, limits)

        def _unknown(self) -> None:
            self._answer(404, {"message": "Unknown Webhook", "code": 10015})

        def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the path is the secret."""

    return ThreadingHTTPServer((address, port), Handler)
