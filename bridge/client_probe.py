"""A client of the bridge inside the container: each minute one session with a token of the probe's own.

Owns: the verdict on the clients' port, for the health address, whose askers may not reach that port or have no token.
Deliberately does not: call a tool, or send anything that reaches a gateway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from .http_client import HttpClient, HttpFailed
from .messages import Message, dumped

HEALTHY = "sentinel_bridge_port_healthy"
_PROBE_SECONDS = 60.0
_AGAIN_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_ACCEPTED = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
_SESSION = "mcp-session-id"
_INITIALIZE: Message = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "sentinel-bridge-probe", "version": "1"},
}

_log = logging.getLogger("bridge")


class ClientProbe:
    """`reason` is why a client is not served; empty while one is, or before the first probe."""

    def __init__(self, host: str, port: int, path: str, token: Callable[[], str]) -> None:
        # Every address of the container is its loopback too.
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self._url = f"http://{f'[{address}]' if ':' in address else address}:{port}{path}"
        self._path = path
        self._token = token
        self.reason = ""

    def text(self) -> str:
        """The verdict in Prometheus's text format 0.0.4."""
        value = 0 if self.reason else 1
        about = "The clients' port refuses a call without a token and serves one with it"
        return f"# HELP {HEALTHY} {about}\n# TYPE {HEALTHY} gauge\n{HEALTHY} {value}\n"

    async def watch(self) -> None:
        """Probe for ever."""
        while True:
            reason = await self._probed()
            if reason and reason != self.reason:
                _log.error("clients are not served: %s", reason)
            self.reason = reason
            await asyncio.sleep(_AGAIN_SECONDS if reason else _PROBE_SECONDS)

    async def _probed(self) -> str:
        client = HttpClient(self._url)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._session(client)
        except HttpFailed as error:
            return str(error)
        except TimeoutError:
            return f"no answer within {_ANSWER_SECONDS:g} s"
        finally:
            client.close()

    async def _session(self, client: HttpClient) -> str:
        """The reason that a whole session fails; empty when it succeeds."""
        status, _ = await self._post(client, "initialize", _INITIALIZE, {})
        if status != 401:
            return f"initialize without a token has HTTP status {status} instead of 401"
        caller = {"Authorization": f"Bearer {self._token()}"}
        status, session = await self._post(client, "initialize", _INITIALIZE, caller)
        if status != 200:
            return f"initialize has HTTP status {status}"
        try:
            status, _ = await self._post(client, "ping", {}, {**caller, _SESSION: session})
        finally:
            async with client.get(self._path, {**caller, _SESSION: session}, "DELETE") as response:
                [_ async for _ in response.body]
        return "" if status == 200 else f"ping has HTTP status {status}"

    async def _post(
        self, client: HttpClient, method: str, parameters: Message, headers: dict[str, str]
    ) -> tuple[int, str]:
        """The status, and the session that the answer names."""
        body = dumped({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        async with client.post(body, {**_ACCEPTED, **headers}) as response:
            [_ async for _ in response.body]
            return response.status, response.headers.get(_SESSION, "")
