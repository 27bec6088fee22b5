"""All backends behind one list of tools, each under its own name.

Owns: discovery one after the other, skipping, health, the circuit breaker of each backend.
"""

from __future__ import annotations

import asyncio
import http.client
import sys
import time
from collections.abc import Sequence

from .configuration import BackendSettings
from .http_backend import HttpBackend
from .metrics import Metrics
from .problems import BackendFailed, CallRefused
from .stdio_backend import Message, Progress, StdioBackend

Backend = StdioBackend | HttpBackend


class Breaker:
    """Opens after so many failures in a row; lets one call through when the recovery time is over."""

    def __init__(self, settings: BackendSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._opened_at = 0.0

    def check(self) -> None:
        open_for = time.monotonic() - self._opened_at
        if self._failures >= self._settings.breaker_threshold and open_for < self._settings.breaker_recovery_seconds:
            raise CallRefused("circuit_open", f"backend {self._settings.name}: circuit breaker is open", -32603)

    def note(self, failed: bool) -> None:
        self._failures = self._failures + 1 if failed else 0
        if failed:
            self._opened_at = time.monotonic()


class Catalogue:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._backends: list[Backend] = []
        self._breakers: dict[str, Breaker] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def discover(self, backends: Sequence[BackendSettings]) -> None:
        for settings in backends:
            backend = StdioBackend(settings) if settings.kind == "stdio" else HttpBackend(settings)
            try:
                await backend.discover()
            except (CallRefused, OSError, http.client.HTTPException) as error:
                print(f"WARN backend {settings.name} skipped: {error}", file=sys.stderr, flush=True)
                continue
            self._backends.append(backend)
            self._breakers[settings.name] = Breaker(settings)
            self._metrics.backend(settings.name, bool(backend.tools))
            print(f"INFO backend {settings.name}: {len(backend.tools)} tools", file=sys.stderr, flush=True)

    def watch(self) -> None:
        """Starts the health checks, each in its own rhythm."""
        self._tasks = [asyncio.create_task(self._watch(backend)) for backend in self._backends]

    def tools(self) -> list[Message]:
        return [tool for backend in self._backends for tool in backend.tools]

    def owner(self, tool: str) -> Backend | None:
        for backend in self._backends:
            if any(item.get("name") == tool for item in backend.tools):
                return backend
        return None

    async def call(
        self, backend: Backend, tool: str, arguments: Message, meta: Message, progress: Progress | None
    ) -> Message:
        breaker = self._breakers[backend.settings.name]
        breaker.check()
        try:
            result = await backend.call(tool, arguments, meta, progress)
        except BackendFailed:
            breaker.note(failed=True)
            raise
        breaker.note(failed=False)
        return result

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(backend.close() for backend in self._backends))

    async def _watch(self, backend: Backend) -> None:
        while True:
            await asyncio.sleep(backend.settings.health_interval_seconds)
            self._metrics.backend(backend.settings.name, await backend.healthy())
