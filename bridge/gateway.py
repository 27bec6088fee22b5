"""One gateway process, behind all sessions.

Owns: its start (handshake and catalogue within a limit), its list of tools, its restart after a death, its renewal, and
its end: the call in work is waited for, then stdin is closed and SIGTERM sent (either alone does not end it at once).
Deliberately does not: know which request belongs to which session (`calls.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from .calls import Call, Calls, GatewayFailed, QueueFull
from .configuration import GatewaySettings, Misconfigured
from .gateway_log import pass_on
from .measures import Measures
from .messages import TOOLS_CHANGED, Message, dumped
from .pipes import lines

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
_LAST_LINES_SECONDS = 1.0
_END_SECONDS = 10.0
"""From the end of its work to its exit: 2 s with a stdio backend, and 5 s for a row when its database is away."""

_RELOAD_SECONDS = 1.0
"""After SIGHUP, until a list of tools that the gateway is requested for is surely that of the new settings."""

_log = logging.getLogger("bridge")


@dataclass(frozen=True)
class Common:
    """The parts that all gateways share; `before_start` and `cancelled` take the names of a gateway's backends."""

    environment: Callable[[], Mapping[str, str]]
    start_seconds: float
    call_seconds: float
    queue_length: int
    broadcast: Callable[[Message], None]
    before_start: Callable[[Collection[str], asyncio.Event], Awaitable[None]]
    cancelled: Callable[[Collection[str]], None]
    measures: Measures


class Gateway:
    """Start it once; it is restarted until `stop`. `initialize_result` is its own answer to `initialize`."""

    def __init__(self, settings: GatewaySettings, common: Common) -> None:
        self.name, self.backends, self.health = settings.name, settings.backends, settings.health
        self.tools: list[Message] = []
        self._command = settings.command
        self._common = common
        waited = common.measures.waited
        self._calls = Calls(self._send, common.broadcast, common.queue_length, self._replace, self._cancelled, waited)
        self._process: Process | None = None
        self._ready = False
        self._stale, self._reloaded = False, 0.0
        self._reload_due = False
        self._stopping = asyncio.Event()
        self._renewing = False
        self._supervisor: asyncio.Task[None] | None = None
        self._log: asyncio.Task[None] | None = None
        self._announcing: asyncio.Task[None] | None = None
        self.initialize_result: Message = {}

    async def start(self) -> None:
        """Start the process and read its catalogue; raises GatewayFailed."""
        reader = await self._launch()
        self._supervisor = asyncio.create_task(self._supervise(reader))

    async def renew(self, limit_seconds: float) -> None:
        """Replace the process by a new one, between two calls; those that come meanwhile wait for the new one."""
        if self._ready and not self._stopping.is_set():
            self._renewing = self._stale = True
            await self._end(limit_seconds)

    @property
    def serves(self) -> bool:
        """True while its process takes calls."""
        return self._ready

    async def catalogue(self) -> list[Message]:
        """Its tools as last read: no call in work is waited for. After a reload or a renewal they are read again."""
        if self._stale:
            began = time.monotonic()
            with contextlib.suppress(GatewayFailed, QueueFull):
                self._take((await self.begin("tools/list", {}).result()).get("result"))
                self._stale = began < self._reloaded + _RELOAD_SECONDS
        return self.tools

    def begin(
        self, method: str, parameters: Message, progress_token: object = None, limit_seconds: float | None = None
    ) -> Call:
        """Queue a request; raises GatewayFailed at once when the gateway is not there, QueueFull when too many wait."""
        if not self._ready and not self._renewing:
            raise GatewayFailed("the gateway is being started again: try again in some seconds")
        return self._calls.begin(method, parameters, progress_token, limit_seconds or self._common.call_seconds)

    def reload(self) -> None:
        """Pass SIGHUP on, once the gateway serves: it reads kill switch and rate limits again. Before, it would die."""
        self._reload_due = not self._ready
        if self._ready and self._process is not None and self._process.returncode is None:
            self._stale, self._reloaded = True, time.monotonic()
            self._process.send_signal(signal.SIGHUP)
            self._announcing = asyncio.create_task(self._announce(self.tools))

    async def _announce(self, before: Sequence[Message]) -> None:
        """Notify every session once a reload has changed the list of tools."""
        await asyncio.sleep(_RELOAD_SECONDS)
        if await self.catalogue() != before:
            self._common.broadcast(TOOLS_CHANGED)

    async def stop(self, limit_seconds: float) -> None:
        """End the gateway after the call in work, which has so long; the queued ones are refused."""
        self._stopping.set()
        self._calls.fail_queued("the gateway is being stopped")
        await self._end(limit_seconds)
        if self._supervisor is not None:
            await self._supervisor

    async def _end(self, limit_seconds: float) -> None:
        serves, self._ready = self._ready, False
        self._calls.close()
        if serves:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._calls.idle.wait(), limit_seconds)
        process = self._process
        if process is not None and process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _END_SECONDS)
            except TimeoutError:
                _log.error(
                    "%s: the gateway did not end within %g s and was killed: audit rows may be lost",
                    self.name,
                    _END_SECONDS,
                )
                await _kill(process)

    def _replace(self) -> None:
        """End a gateway that no longer answers; the supervisor starts another one."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def _cancelled(self) -> None:
        self._common.cancelled(self.backends)

    def _take(self, result: object) -> None:
        tools = cast("Message", result).get("tools") if isinstance(result, dict) else None
        if not isinstance(tools, list):
            raise GatewayFailed("its answer to tools/list has no tools")
        self.tools = [cast("Message", tool) for tool in cast("list[object]", tools) if isinstance(tool, dict)]

    async def _supervise(self, reader: asyncio.Task[None]) -> None:
        delay = _FIRST_DELAY_SECONDS
        while True:
            started = time.monotonic()
            await reader
            assert self._process is not None
            code = await self._process.wait()
            await self._last_lines()
            if time.monotonic() - started > _STABLE_SECONDS:
                delay = _FIRST_DELAY_SECONDS
            launched = await self._try_launch() if self._renewing and not self._stopping.is_set() else None
            self._renewing = False
            while launched is None:
                if self._stopping.is_set():
                    return
                _log.error("%s: the gateway ended (exit code %d), next start in %g s", self.name, code, delay)
                if await self._stopped_within(delay):
                    return
                delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
                launched = await self._try_launch()
                if launched is None:
                    self._calls.fail_queued("the gateway does not start again")
            reader = launched
            _log.info("%s: the gateway serves again", self.name)
            self._common.broadcast(TOOLS_CHANGED)

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
            async with asyncio.timeout(self._common.start_seconds):
                self.initialize_result = await self._calls.result("initialize", _INITIALIZE)
                self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
                self._take(await self._calls.result("tools/list", {}))
                self._stale = False
        except TimeoutError:
            await _kill(process)
            limit = self._common.start_seconds
            raise GatewayFailed(
                f"The gateway {self.name} gave no catalogue within {limit:g} s: its log says what it waits for."
            ) from None
        except GatewayFailed as error:
            await _exited(process)
            await self._last_lines()
            raise GatewayFailed(
                f"The gateway {self.name} did not start ({error}; exit code {process.returncode}): "
                "its last lines are above."
            ) from error
        if self._stopping.is_set() and process.stdin is not None:
            process.stdin.close()
        if not self._stopping.is_set():
            self._ready = True
            self._calls.open()
        if self._reload_due:
            self.reload()
        _log.info("%s: the gateway serves %d tools", self.name, len(self.tools))
        return reader

    async def _spawn(self) -> Process:
        await self._common.before_start(self.backends, self._stopping)
        if self._stopping.is_set():
            raise GatewayFailed("The bridge was stopped before the gateway was started.")
        try:
            process = self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._common.environment(),
                # Signals of a terminal and of the container are the bridge's: the gateway ends by its stdin.
                start_new_session=True,
            )
        except OSError as error:
            raise GatewayFailed(f"The gateway {self._command[0]} cannot be started: {error.strerror}.") from error
        assert process.stderr is not None
        self._log = asyncio.create_task(pass_on(process.stderr, self._common.measures.read))
        if self._stopping.is_set():
            # The signal came between the fork and here: stop() has not seen this process.
            await _kill(process)
            raise GatewayFailed("The bridge was stopped while the gateway was started.")
        return process

    async def _last_lines(self) -> None:
        """Wait for the log of a gateway that has ended; a process of its own may hold it open."""
        if self._log is not None:
            await asyncio.wait([self._log], timeout=_LAST_LINES_SECONDS)

    def _send(self, message: Message) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(dumped(message))

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        try:
            async for line, whole in lines(process.stdout, _LINE_LIMIT_BYTES):
                if whole:
                    self._calls.receive(line)
                else:
                    self._calls.receive_too_large(_LINE_LIMIT_BYTES)
        finally:
            self._ready = False
            self._calls.fail_in_work()


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
