"""A backend behind streamable HTTP: one MCP session, kept; the standard library's client in threads.

Owns: session id, JSON and event-stream answers, a second try after a lost connection or an ended session.
Deliberately does not: come back after it was unreachable at the start (`reference/sentinel.md`: skipped for good).
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from .configuration import BackendSettings
from .problems import BackendFailed, CallRefused, refused_by_backend
from .stdio_backend import HELLO, Message, Progress

_DISCOVERY_SECONDS = 10.0
_THREADS = ThreadPoolExecutor(max_workers=64, thread_name_prefix="http-backend")


class HttpBackend:
    def __init__(self, settings: BackendSettings) -> None:
        self.settings = settings
        self.tools: list[Message] = []
        self._address = urlsplit(settings.url)
        self._ids = itertools.count(1)
        self._session: str | None = None

    async def discover(self) -> None:
        """Opens the session and reads the tools; raises BackendFailed when it cannot be reached."""
        await self._in_thread(self._discover)

    async def call(self, name: str, arguments: Message, meta: Message, progress: Progress | None) -> Message:
        parameters: Message = {"name": name, "arguments": arguments}
        if meta:
            parameters["_meta"] = dict(meta)
        if progress is not None:
            parameters["_meta"] = {**meta, "progressToken": next(self._ids)}
            progress = partial(asyncio.get_running_loop().call_soon_threadsafe, progress)
        return await self._in_thread(self._request, "tools/call", parameters, progress)

    async def healthy(self) -> bool:
        try:
            await self._in_thread(self._request, "ping", {}, None, 5.0)
        except CallRefused:
            return False
        return True

    async def close(self) -> None:
        """The backend forgets an idle session on its own."""

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(_THREADS, partial(function, *arguments))

    def _discover(self) -> None:
        self._open(_DISCOVERY_SECONDS)
        tools: list[Message] = []
        cursor: Message = {}
        while True:
            page = self._exchange("tools/list", cursor, None, _DISCOVERY_SECONDS)
            tools += page.get("tools", [])
            if not page.get("nextCursor"):
                break
            cursor = {"cursor": page["nextCursor"]}
        self.tools = tools

    def _open(self, seconds: float) -> None:
        self._session = None
        self._exchange("initialize", HELLO, None, seconds)
        self._post({"jsonrpc": "2.0", "method": "notifications/initialized"}, seconds)[0].close()

    def _request(
        self, method: str, parameters: Message, progress: Progress | None, seconds: float | None = None
    ) -> Message:
        seconds = seconds or self.settings.timeout_seconds
        try:
            return self._exchange(method, parameters, progress, seconds)
        except (_SessionEnded, ConnectionRefusedError, http.client.RemoteDisconnected):
            try:
                self._open(seconds)
                return self._exchange(method, parameters, progress, seconds)
            except (OSError, http.client.HTTPException, _SessionEnded) as error:
                raise BackendFailed(self.settings.name, f"cannot be reached: {error}") from error
        except TimeoutError:
            raise BackendFailed(self.settings.name, f"no answer within {seconds:g} s", "timeout") from None
        except (OSError, http.client.HTTPException) as error:
            raise BackendFailed(self.settings.name, f"cannot be reached: {error}") from error

    def _exchange(self, method: str, parameters: Message, progress: Progress | None, seconds: float) -> Message:
        own = next(self._ids)
        request = {"jsonrpc": "2.0", "id": own, "method": method, "params": parameters}
        connection, response = self._post(request, seconds)
        try:
            for message in _messages(response):
                if message.get("method") == "notifications/progress" and progress is not None:
                    progress(message.get("params", {}))
                elif "method" not in message and message.get("id") == own:
                    if "error" in message:
                        raise refused_by_backend(self.settings.name, message["error"])
                    return message["result"]
        except ValueError as error:
            raise BackendFailed(self.settings.name, "answered with something that is not MCP") from error
        finally:
            connection.close()
        raise BackendFailed(self.settings.name, "ended its answer without a result")

    def _post(self, message: Message, seconds: float) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._address.hostname or "", self._address.port, timeout=seconds)
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": str(HELLO["protocolVersion"]),
        }
        if self._session is not None:
            headers["Mcp-Session-Id"] = self._session
        connection.request("POST", self._address.path or "/", json.dumps(message).encode(), headers)
        response = connection.getresponse()
        if message.get("method") == "initialize":
            self._session = response.getheader("Mcp-Session-Id")
        if response.status == 404 and self._session is not None:
            connection.close()
            raise _SessionEnded
        if response.status >= 400:
            connection.close()
            raise BackendFailed(self.settings.name, f"answered HTTP {response.status}")
        return connection, response


class _SessionEnded(Exception):
    """The backend has forgotten the session, for instance because it was restarted."""


def _messages(response: http.client.HTTPResponse) -> Iterator[Message]:
    if not response.getheader("Content-Type", "").startswith("text/event-stream"):
        yield json.loads(response.read())
        return
    data: list[str] = []
    for raw in response:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            text = "\n".join(data)
            data = []
            if text:
                yield json.loads(text)
