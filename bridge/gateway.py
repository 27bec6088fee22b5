"""The one gateway process behind all sessions.

Owns: its start (handshake and catalogue within a limit), its restart after a death, its renewal, and its end by closing
stdin (SIGTERM does not end it: `reference/sentinel.md`).
Deliberately does not: know which request belongs to which session (`calls.py`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

from .calls import Call, Calls, GatewayFailed, Message
from .configuration import Misconfigured

PROTOCOL_VERSION = "2025-11-25"
_INITIALIZE: Message = {
    "protocolVersion": PROTOCOL_VERSION,
    "capabilities": {},
    "clientInfo": {"name": "sentinel-bridge", "version": "1"},
}
_LINE_LIMIT_BYTES = 16 * 1024 * 1024
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0
_STABLE_SECONDS = 60.0
_EXIT_SECONDS = 3.0

_log = logging.getLogger("bridge")


class Gateway:
    """Start it once; it is restarted until `stop`. `initialize_result` is its own answer to `initialize`."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Callable[[], Mapping[str, str]],
        start_seconds: float,
        broadcast: Callable[[Message], None],
        before_start: Callable[[asyncio.Event], Awaitable[None]],
    ) -> None:
        self._command = command
        self._environment = environment
        self._start_seconds = start_seconds
        self._before_start = before_start
        self._calls = Calls(self._send, broadcast)
        self._process: Process | None = None
        self._ready = False
        self._stopping = asyncio.Event()
        self._renewed = asyncio.Event()
        self._renewed.set()
        self._supervisor: asyncio.Task[None] | None = None
        self.initialize_result: Message = {}

    async def start(self) -> None:
        """Start the process and read its catalogue; raises GatewayFailed."""
        reader = await self._launch()
        self._supervisor = asyncio.create_task(self._supervise(reader))

    async def renew(self, limit_seconds: float) -> None:
        """Replace the process by a new one; the old one ends as at a stop. Returns after the new one's start."""
        if not self._ready or self._stopping.is_set():
            return
        self._renewed.clear()
        self._ready = False
        await self._end(limit_seconds)
        await self._renewed.wait()

    async def renewed(self) -> None:
        """Wait for a renewal in progress, so that a client which comes during it finds the tools."""
        await self._renewed.wait()

    def begin(self, method: str, parameters: Message, progress_token: object = None) -> Call:
        """Send a request; raises GatewayFailed at once when the gateway is not there."""
        if not self._ready:
            raise GatewayFailed("the gateway is being started again: try again in some seconds")
        return self._calls.begin(method, parameters, progress_token)

    def cancel(self, call: Call, reason: str) -> None:
        """Cancel a request at the gateway and answer it."""
        self._calls.cancel(call, reason)

    def reload(self) -> None:
        """Pass SIGHUP on: the gateway reads kill switch and rate limits again."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGHUP)

    async def stop(self, limit_seconds: float) -> None:
        """Close stdin and wait for the gateway's own end; kill it after the limit."""
        self._stopping.set()
        await self._end(limit_seconds)
        if self._supervisor is not None:
            await self._supervisor

    async def _end(self, limit_seconds: float) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), limit_seconds)
            except TimeoutError:
                _log.error("the gateway did not end within %g s and was killed: audit rows may be lost", limit_seconds)
                await _kill(process)

    async def _supervise(self, reader: asyncio.Task[None]) -> None:
        delay = _FIRST_DELAY_SECONDS
        while True:
            started = time.monotonic()
            await reader
            assert self._process is not None
            code = await self._process.wait()
            if time.monotonic() - started > _STABLE_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            launched = None if self._renewed.is_set() else await self._try_launch()
            self._renewed.set()
            while launched is None:
                if self._stopping.is_set():
                    return
                _log.error("the gateway ended (exit code %d), next start in %g s", code, delay)
                if await self._stopped_within(delay):
                    return
                delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
                launched = await self._try_launch()
            reader = launched
            _log.info("the gateway serves again")

    async def _try_launch(self) -> asyncio.Task[None] | None:
        """One more start. A secret that cannot be read now may be readable at the next."""
        try:
            return await self._launch()
        except (GatewayFailed, Misconfigured) as error:
            _log.error("%s", error)
            return None

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _launch(self) -> asyncio.Task[None]:
        process = await self._spawn()
        reader = asyncio.create_task(self._read(process))
        try:
            async with asyncio.timeout(self._start_seconds):
                self.initialize_result = await self._calls.result("initialize", _INITIALIZE)
                self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
                catalogue = await self._calls.result("tools/list", {})
        except TimeoutError:
            await _kill(process)
            limit = self._start_seconds
            raise GatewayFailed(
                f"The gateway gave no catalogue within {limit:g} s: its log says what it waits for."
            ) from None
        except GatewayFailed as error:
            await _exited(process)
            raise GatewayFailed(
                f"The gateway did not start ({error}; exit code {process.returncode}): its last lines are above."
            ) from error
        if self._stopping.is_set() and process.stdin is not None:
            process.stdin.close()
        self._ready = not self._stopping.is_set()
        tools = catalogue.get("tools")
        _log.info("the gateway serves %d tools", len(cast("list[object]", tools)) if isinstance(tools, list) else 0)
        return reader

    async def _spawn(self) -> Process:
        await self._before_start(self._stopping)
        if self._stopping.is_set():
            raise GatewayFailed("The bridge was stopped before the gateway was started.")
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, **self._environment()},
                limit=_LINE_LIMIT_BYTES,
                # Signals of a terminal and of the container are the bridge's: the gateway ends by its stdin.
                start_new_session=True,
            )
        except OSError as error:
            raise GatewayFailed(f"The gateway {self._command[0]} cannot be started: {error.strerror}.") from error
        if self._stopping.is_set():
            # The signal came between the fork and here: stop() has not seen this process.
            await _kill(process)
            raise GatewayFailed("The bridge was stopped while the gateway was started.")
        return process

    def _send(self, message: Message) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                self._calls.receive(line)
        except ValueError:
            _log.error("the gateway wrote a line of more than %d bytes and is ended", _LINE_LIMIT_BYTES)
            process.kill()
        finally:
            self._ready = False
            self._calls.fail_all()


async def _exited(process: Process) -> None:
    """Wait for a gateway that closed its stdout: its own exit code says more than that of a kill."""
    try:
        await asyncio.wait_for(process.wait(), _EXIT_SECONDS)
    except TimeoutError:
        await _kill(process)


async def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
