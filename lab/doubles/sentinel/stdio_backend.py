"""A backend that is a child process, spoken to in JSON lines, and its supervisor.

Owns: the child's emptied environment and closed stderr, its discovery, its one restart that nobody uses, its end.
Deliberately does not: bring a dead child back (the real supervisor starts another, finds nobody who would take it, and
ends it), kill one that ignores SIGTERM, or answer a child's requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from asyncio.subprocess import PIPE, Process
from typing import Any, cast

from . import tools
from .configuration import BackendSettings
from .log import Log
from .problems import BackendFailed, HandshakeFailed
from .protocol import HELLO, INITIALIZED, Message, strict, written

DISCOVERY_SECONDS = 30.0
_KEPT = ("PATH", "HOME", "USER", "LANG", "NODE_PATH", "NVM_DIR", "NVM_BIN", "TMPDIR", "TERM")
_LONGEST_LINE_BYTES = 2**31
_LINES_WAITING = 64
_HEALTHY_SECONDS = 60.0
_LAST_SECONDS = 2.0
_LOG = Log("backend::stdio")


class Child:
    """One process of a backend. It is written to by one task and read by another, and each may end before the other."""

    def __init__(self, settings: BackendSettings, process: Process) -> None:
        self.settings = settings
        self.process = process
        self._waiting: dict[int, asyncio.Future[str]] = {}
        self._lines: asyncio.Queue[str] = asyncio.Queue(_LINES_WAITING)
        self._writer = asyncio.create_task(self._write())
        self.ended = asyncio.create_task(self._read())

    async def exchange(self, request: Message) -> str:
        """The answer's line; raises BackendFailed."""
        future = self._waiting[request["id"]] = asyncio.get_running_loop().create_future()
        try:
            await self._put(written(request))
            return await asyncio.wait_for(future, self.settings.timeout_seconds)
        except TimeoutError:
            raise BackendFailed("invalid response: request timed out") from None
        finally:
            self._waiting.pop(request["id"], None)

    async def discover(self) -> list[Message]:
        """Handshake and list of tools (the first page); raises HandshakeFailed."""
        step = "initialize"
        try:
            await self.exchange({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
            await self._put(written(INITIALIZED))
            await asyncio.sleep(0.1)
            step = "tools/list"
            found = tools.read(await self.exchange({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}))
        except BackendFailed as error:
            raise HandshakeFailed(f"MCP {step} failed: {error}") from error
        _LOG.info("discovered tools from stdio backend", backend=self.settings.name, count=len(found))
        return found

    def end(self) -> None:
        """SIGTERM to the child's process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)

    async def _put(self, line: str) -> None:
        putting = asyncio.ensure_future(self._lines.put(line))
        if not self._writer.done():
            await asyncio.wait((putting, self._writer), return_when=asyncio.FIRST_COMPLETED)
        # A line that found room may still go to a writer that fails with it: then its answer never comes.
        if not putting.done():
            putting.cancel()
            raise BackendFailed("stdin channel to child process is closed")

    async def _write(self) -> None:
        stdin = self.process.stdin
        assert stdin is not None
        while line := await self._lines.get():
            if stdin.is_closing():
                break
            try:
                stdin.write(line.encode() + b"\n")
                await stdin.drain()
            except OSError:
                break
        _LOG.warn("stdin write failed", backend=self.settings.name, error="Broken pipe (os error 32)")

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            try:
                text = line.decode().strip()
            except UnicodeDecodeError:
                said = "stream did not contain valid UTF-8"
                _LOG.warn("stdout read error", backend=self.settings.name, error=said)
                break
            if text:
                self._received(text)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(BackendFailed("child process exited: response channel dropped"))

    def _received(self, text: str) -> None:
        """Gives a line to the request with its id: a notification, noise and a child's own request are dropped."""
        try:
            message = strict(text)
        except ValueError:
            return
        own: Any = cast("Message", message).get("id") if isinstance(message, dict) else None
        future = self._waiting.get(own) if type(own) is int else None
        if future is not None and not future.done():
            future.set_result(text)


class StdioBackend:
    """A backend's supervisor: what it finds first serves for good."""

    def __init__(self, settings: BackendSettings) -> None:
        self.settings = settings
        self._first: asyncio.Future[tuple[Child, list[Message]]] = asyncio.get_running_loop().create_future()
        self._stopped = asyncio.Event()
        self._supervisor = asyncio.create_task(self._supervise())
        self._child: Child | None = None

    async def discover(self) -> list[Message]:
        """The tools of the first child that gets through the handshake; raises HandshakeFailed, TimeoutError."""
        waiting = (self._first, self._supervisor)
        done, _ = await asyncio.wait(waiting, timeout=DISCOVERY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self._first.done():
            self._child, found = self._first.result()
            return found
        self._first.cancel()
        if done:
            raise HandshakeFailed("Stdio supervisor channel closed before tool discovery")
        raise TimeoutError

    async def exchange(self, request: Message) -> str:
        assert self._child is not None
        return await self._child.exchange(request)

    def stop(self) -> None:
        self._stopped.set()

    async def stopped(self) -> None:
        """Waits for the supervisor, at most 5 s."""
        await asyncio.wait((self._supervisor,), timeout=5)

    async def _supervise(self) -> None:
        name, restarts = self.settings.name, 0
        while not self._stopped.is_set():
            started = time.monotonic()
            try:
                child = await self._launch()
            except OSError as error:
                said = f"{error.strerror} (os error {error.errno})"
                said = f"child process exited: failed to spawn '{self.settings.command}': {said}"
                _LOG.error("failed to spawn child process", backend=name, error=said)
            else:
                try:
                    found = await child.discover()
                except HandshakeFailed as error:
                    _LOG.error("MCP handshake failed after spawn", backend=name, error=error)
                    child.end()
                else:
                    if self._first.done():
                        _LOG.warn("tools channel closed, supervisor stopping", backend=name)
                        child.end()
                        return
                    self._first.set_result((child, found))
                    if not await self._outlived(child):
                        return
                    if time.monotonic() - started > _HEALTHY_SECONDS:
                        restarts = 0
            restarts += 1
            if 0 < self.settings.max_restarts <= restarts:
                most = self.settings.max_restarts
                _LOG.error("max restarts reached, supervisor stopping", backend=name, restarts=restarts, max=most)
                return
            delay = min(2.0 ** (restarts - 1), 60) * (1 + random.random() / 2)
            if self._first.done():
                milliseconds = int(delay * 1000)
                _LOG.info("restarting after backoff", backend=name, restart=restarts, delay_ms=milliseconds)
            try:
                await asyncio.wait_for(self._stopped.wait(), delay)
            except TimeoutError:
                continue
            _LOG.info("supervisor stopping during backoff", backend=name)

    async def _outlived(self, child: Child) -> bool:
        """Waits for the child's end; False when the gateway ends first."""
        stopped = asyncio.create_task(self._stopped.wait())
        await asyncio.wait((child.ended, stopped), return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            _LOG.info("supervisor shutting down", backend=self.settings.name)
            child.end()
            await asyncio.sleep(_LAST_SECONDS)
            return False
        stopped.cancel()
        _LOG.warn("child process exited (stdout EOF)", backend=self.settings.name, pid=child.process.pid)
        child.end()
        return True

    async def _launch(self) -> Child:
        """A child of its own process group; its stderr is a pipe that nobody reads any more."""
        read_end, stderr = os.pipe()
        os.close(read_end)
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                self.settings.command,
                *self.settings.arguments,
                stdin=PIPE,
                stdout=PIPE,
                stderr=stderr,
                env={**kept, **self.settings.environment},
                limit=_LONGEST_LINE_BYTES,
                process_group=0,
            )
        finally:
            os.close(stderr)
        return Child(self.settings, process)
