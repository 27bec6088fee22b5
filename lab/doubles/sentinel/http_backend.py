"""A backend behind HTTP: one POST an exchange, without a session; the standard library's client in threads.

Owns: what is tried again (a refused connection, a timeout, 5xx, a broken body), how an answer's text is read, kept
connections, proxies from the environment.
Deliberately does not: keep `Mcp-Session-Id`, send `MCP-Protocol-Version`, read a stream beyond its first data line, or
compare ids.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import random
import select
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from . import tools
from .configuration import BackendSettings
from .log import Log
from .problems import BackendFailed
from .protocol import HELLO, INITIALIZED, Message, written

_CONNECT_SECONDS = 5.0
_MOST_REDIRECTS = 10
_THREADS = ThreadPoolExecutor(max_workers=64, thread_name_prefix="http-backend")


class _Again(BackendFailed):
    """A failure that is worth another attempt."""


class HttpBackend:
    def __init__(self, settings: BackendSettings, shared_secret: str | None) -> None:
        self.settings = settings
        base = settings.url.rstrip("/")
        self.url = base if base.endswith("/mcp") else f"{base}/mcp"
        self._headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if shared_secret is not None:
            self._headers["X-Sentinel-Auth"] = shared_secret
        self._idle: list[http.client.HTTPConnection] = []

    async def discover(self) -> list[Message]:
        """Handshake and list of tools (the first page); raises BackendFailed, HandshakeFailed."""
        await self.exchange({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
        with contextlib.suppress(BackendFailed):
            await self.exchange(INITIALIZED)
        listed = await self.exchange({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
        found = tools.read(listed, missing="No tools in tools/list response")
        Log("backend::http").info("Discovered tools from backend", url=self.url, count=len(found))
        return found

    async def exchange(self, request: Message) -> str:
        """The answer's text; raises BackendFailed."""
        body = written(request).encode()
        for attempt in range(1, self.settings.retries + 2):
            try:
                return await self._attempt(body)
            except _Again as error:
                if attempt > self.settings.retries:
                    raise
                delay = 0.1 * 2 ** (attempt - 1) * (1 + random.random() / 2)
                most, said = self.settings.retries, "retrying after transient error"
                milliseconds = int(delay * 1000)
                fields = {"attempt": attempt, "max_retries": most, "delay_ms": milliseconds, "error": error}
                Log("backend::retry").warn(said, **fields)
                await asyncio.sleep(delay)
        raise AssertionError

    async def _attempt(self, body: bytes) -> str:
        exchange = _Exchange(self.url, self._headers, self.settings.timeout_seconds, self._idle)
        try:
            answering = asyncio.get_running_loop().run_in_executor(_THREADS, exchange.run, body)
            return await asyncio.wait_for(answering, self.settings.timeout_seconds)
        except TimeoutError:
            raise _Again(exchange.problem()) from None


class _Exchange:
    """One attempt, in a thread."""

    def __init__(
        self, url: str, headers: dict[str, str], seconds: float, idle: list[http.client.HTTPConnection]
    ) -> None:
        self._url = url
        self._headers = headers
        self._seconds = seconds
        self._idle = idle
        self._answered = False

    def run(self, body: bytes) -> str:
        url, method, content = self._url, "POST", body
        connection = self._connection(url)
        try:
            response = self._sent(connection, method, url, content)
            for _ in range(_MOST_REDIRECTS):
                location = response.getheader("Location")
                if response.status not in (301, 302, 303, 307, 308) or not location:
                    break
                connection.close()
                url = urljoin(url, location)
                if response.status < 304:
                    method, content = "GET", b""
                connection = self._connection(url)
                response = self._sent(connection, method, url, content)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise (_Again if isinstance(error, TimeoutError) else BackendFailed)(self.problem()) from error
        return self._read(connection, response, keep=url == self._url)

    def _sent(
        self, connection: http.client.HTTPConnection, method: str, url: str, content: bytes
    ) -> http.client.HTTPResponse:
        connection.putrequest(method, self._target(url), skip_accept_encoding=True)
        for name, value in {**self._headers_to(url), "Content-Length": str(len(content))}.items():
            connection.putheader(name, value)
        connection.endheaders(content or None)
        return connection.getresponse()

    def problem(self) -> str:
        if self._answered:
            return "stream error: error decoding response body"
        parts = urlsplit(self._url)
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        return f"request error: error sending request for url ({shown})"

    def _read(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, keep: bool) -> str:
        self._answered = True
        try:
            text = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if response.status < 300:
                raise _Again(self.problem()) from error
            text = ""
        if keep and connection.sock is not None:
            self._idle.append(connection)
        if not 200 <= response.status < 300:
            raise (_Again if response.status >= 500 else BackendFailed)(f"HTTP {response.status}: {text}")
        if "text/event-stream" not in response.getheader("Content-Type", ""):
            return text
        for line in text.splitlines():
            if line.startswith("data:") and (data := line[5:].strip()):
                return data
        raise BackendFailed("no data line found in SSE response")

    def _connection(self, url: str) -> http.client.HTTPConnection:
        """A kept connection that the server has not closed meanwhile, or a new one."""
        while url == self._url and self._idle:
            kept = self._idle.pop()
            if not select.select([kept.sock], [], [], 0)[0]:
                return kept
            kept.close()
        parts = urlsplit(url)
        proxy = self._proxy(url)
        if parts.scheme == "https":
            place = urlsplit(proxy) if proxy else parts
            made: Any = http.client.HTTPSConnection(
                place.hostname or "", place.port, timeout=_CONNECT_SECONDS, context=_trust()
            )
            if proxy:
                made.set_tunnel(parts.hostname, parts.port)
        else:
            place = urlsplit(proxy) if proxy else parts
            made = http.client.HTTPConnection(place.hostname or "", place.port, timeout=_CONNECT_SECONDS)
        try:
            made.connect()
        except OSError as error:
            raise _Again(self.problem()) from error
        made.sock.settimeout(self._seconds)
        return made

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)

    def _target(self, url: str) -> str:
        parts = urlsplit(url)
        path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        return (
            f"http://{parts.netloc.rpartition('@')[2]}{path}" if parts.scheme == "http" and self._proxy(url) else path
        )

    def _headers_to(self, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        if parts.username is None:
            return self._headers
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {**self._headers, "Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _trust() -> ssl.SSLContext:
    """The public authorities alone: SSL_CERT_FILE is ignored."""
    paths = ssl.get_default_verify_paths()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(paths.openssl_cafile, paths.openssl_capath)
    return context
