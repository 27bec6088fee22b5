"""A backend that is a child process: started at discovery, restarted by its supervisor, spoken to in JSON lines.

Owns: own request ids and progress tokens towards the child, cancellation, restart, the end of the child.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from typing import Any

from .configuration import BackendSettings
from .problems import BackendFailed, CallRefused, refused_by_backend

Message = dict[str, Any]
Progress = Callable[[Message], object]

DISCOVERY_SECONDS = 30.0
_LINE_LIMIT_BYTES = 16 * 1024 * 1024
_RESTART_SECONDS = 1.0
_END_SECONDS = 1.0
HELLO: Message = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "sentinel-gateway", "version": "0.1.0"},
}


class StdioBackend:
    def __init__(self, settings: BackendSettings) -> None:
        self.settings = settings
        self.tools: list[Message] = []
        self._process: Process | None = None
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._progress: dict[int, Progress] = {}
        self._last_id = 0
        self._supervisor: asyncio.Task[None] | None = None

    async def discover(self) -> None:
        """Starts the child and reads its tools; a child that fails is tried again in the background."""
        self._supervisor = asyncio.create_task(self._supervise(first := asyncio.Event()))
        await first.wait()

    async def call(self, name: str, arguments: Message, meta: Message, progress: Progress | None) -> Message:
        parameters: Message = {"name": name, "arguments": arguments}
        if meta:
            parameters["_meta"] = dict(meta)
        try:
            return await asyncio.wait_for(
                self._request("tools/call", parameters, progress), self.settings.timeout_seconds
            )
        except TimeoutError:
            seconds = self.settings.timeout_seconds
            raise BackendFailed(self.settings.name, f"no answer within {seconds:g} s", "timeout") from None

    async def healthy(self) -> bool:
        try:
            await asyncio.wait_for(self._request("ping", {}, None), 5)
        except (CallRefused, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
        process = self._process
        if process is None or process.returncode is not None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _supervise(self, first: asyncio.Event) -> None:
        for _ in range(self.settings.max_restarts + 1):
            try:
                reader = await self._launch()
                first.set()
                await reader
            except (CallRefused, OSError, TimeoutError) as error:
                print(f"WARN backend {self.settings.name} failed: {error}", file=sys.stderr, flush=True)
                if self._process is not None and self._process.returncode is None:
                    self._process.kill()
            first.set()
            if not self.settings.restart_on_exit:
                return
            await asyncio.sleep(_RESTART_SECONDS)
        print(f"ERROR backend {self.settings.name}: restarted too often, given up", file=sys.stderr, flush=True)

    async def _launch(self) -> asyncio.Task[None]:
        self._process = await asyncio.create_subprocess_exec(
            self.settings.command,
            *self.settings.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **self.settings.environment},
            limit=_LINE_LIMIT_BYTES,
        )
        reader = asyncio.create_task(self._read(self._process))
        async with asyncio.timeout(DISCOVERY_SECONDS):
            await self._request("initialize", HELLO, None)
            self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
            tools: list[Message] = []
            cursor: Message = {}
            while True:
                page = await self._request("tools/list", cursor, None)
                tools += page.get("tools", [])
                if not page.get("nextCursor"):
                    break
                cursor = {"cursor": page["nextCursor"]}
        self.tools = tools
        return reader

    async def _request(self, method: str, parameters: Message, progress: Progress | None) -> Message:
        self._last_id += 1
        own = self._last_id
        if progress is not None:
            parameters = {**parameters, "_meta": {**parameters.get("_meta", {}), "progressToken": own}}
            self._progress[own] = progress
        future = self._waiting[own] = asyncio.get_running_loop().create_future()
        try:
            self._send({"jsonrpc": "2.0", "id": own, "method": method, "params": parameters})
            answer = await future
        except asyncio.CancelledError:
            self._send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": own}})
            raise
        finally:
            self._waiting.pop(own, None)
            self._progress.pop(own, None)
        if "error" in answer:
            raise refused_by_backend(self.settings.name, answer["error"])
        return answer["result"]

    def _send(self, message: Message) -> None:
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None or process.stdin.is_closing():
            raise BackendFailed(self.settings.name, "is not running")
        process.stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                try:
                    self._received(json.loads(line))
                except ValueError:
                    print(f"WARN backend {self.settings.name} wrote no JSON", file=sys.stderr, flush=True)
        finally:
            gone = BackendFailed(self.settings.name, "ended during a call")
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(gone)
        await process.wait()

    def _received(self, message: Message) -> None:
        if "method" not in message:
            future = self._waiting.get(message.get("id", 0))
            if future is not None and not future.done():
                future.set_result(message)
        elif message["method"] == "notifications/progress":
            parameters: Message = message.get("params", {})
            progress = self._progress.get(parameters.get("progressToken", 0))
            if progress is not None:
                progress(parameters)
        elif "id" in message:
            refusal = {"code": -32601, "message": "Method not found"}
            self._send({"jsonrpc": "2.0", "id": message["id"], "error": refusal})
