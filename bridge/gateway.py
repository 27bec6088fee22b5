"""The one gateway process behind all sessions.

Owns: its start (handshake and catalogue within a limit), its own request ids and progress tokens, so that sessions
never mix, its healing after a death, its renewal, and its end by closing stdin (SIGTERM does not end it:
`reference/sentinel.md`).
Deliberately does not: read tool calls or answers; it routes JSON by id.
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
from typing import Any, cast

from .configuration import Misconfigured

Message = dict[str, Any]

PROTOCOL_VERSION = "2025-11-25"
GATEWAY_LOST = -32001
"""JSON-RPC code for "the gateway is not there", from the range that JSON-RPC leaves to servers."""
REQUEST_CANCELLED = -32800
"""As the `mcp` SDK answers a cancelled request on this transport (LSP's RequestCancelled)."""

_LINE_LIMIT_BYTES = 16 * 1024 * 1024
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0
_STABLE_SECONDS = 60.0
_LAST_WORDS_SECONDS = 3.0

_log = logging.getLogger("bridge")


class GatewayFailed(Exception):
    """The gateway did not start, or is not there now; one sentence."""


class Call:
    """One request on its way: progress notifications, then the answer, in the order in which they came."""

    def __init__(self, own_id: int, progress_token: object) -> None:
        self.own_id = own_id
        self.progress_token = progress_token
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.answered = False
        self.when_answered: Callable[[], None] | None = None

    def answer(self, message: Message) -> None:
        if not self.answered:
            self.answered = True
            self.messages.put_nowait(message)
            if self.when_answered is not None:
                self.when_answered()

    async def result(self) -> Message:
        """The answer alone; progress is passed over."""
        while "method" in (message := await self.messages.get()):
            pass
        return message


class Gateway:
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
        self._broadcast = broadcast
        self._before_start = before_start
        self._process: Process | None = None
        self._calls: dict[int, Call] = {}
        self._last_id = 0
        self._ready = False
        self._stopping = asyncio.Event()
        self._renewed = asyncio.Event()
        self._renewed.set()
        self._supervisor: asyncio.Task[None] | None = None
        self.hello: Message = {}

    async def start(self) -> None:
        """Starts the process and reads its catalogue; raises GatewayFailed when that does not come to be."""
        reader = await self._launch()
        self._supervisor = asyncio.create_task(self._supervise(reader))

    async def renew(self, limit_seconds: float) -> None:
        """Puts another process in place of this one, which ends as at a stop; returns after the other's start."""
        if not self._ready or self._stopping.is_set():
            return
        self._renewed.clear()
        self._ready = False
        await self._end(limit_seconds)
        await self._renewed.wait()

    async def renewed(self) -> None:
        """Waits out a renewal under way, so that a client which comes just then finds the tools."""
        await self._renewed.wait()

    def begin(self, method: str, parameters: Message, progress_token: object = None) -> Call:
        """Sends a request; raises GatewayFailed at once when the gateway is not there."""
        if not self._ready:
            raise GatewayFailed("the gateway is being started again: try again in some seconds")
        return self._begin(method, parameters, progress_token)

    def cancel(self, call: Call, reason: str) -> None:
        """Tells the gateway, and answers the call: a cancelled request gets no answer from the gateway itself."""
        if call.answered:
            return
        self._calls.pop(call.own_id, None)
        parameters = {"requestId": call.own_id, "reason": reason}
        self._send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": parameters})
        call.answer({"error": {"code": REQUEST_CANCELLED, "message": f"Request cancelled: {reason}"}})

    def reload(self) -> None:
        """Passes SIGHUP on: kill switch and rate limits are read again."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGHUP)

    async def stop(self, limit_seconds: float) -> None:
        """Closes stdin and waits for the gateway's own end; kills it after the limit."""
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
            launched = None if self._renewed.is_set() else await self._tried()
            self._renewed.set()
            while launched is None:
                if self._stopping.is_set():
                    return
                _log.error("the gateway ended (exit code %d), next start in %g s", code, delay)
                if await self._stopped_within(delay):
                    return
                delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
                launched = await self._tried()
            reader = launched
            _log.info("the gateway serves again")

    async def _tried(self) -> asyncio.Task[None] | None:
        """One more start. A secret that cannot be read now may be there at the next."""
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
        reader = asyncio.create_task(self._read(process))
        try:
            async with asyncio.timeout(self._start_seconds):
                self.hello = await self._asked("initialize", _hello())
                self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
                catalogue = await self._asked("tools/list", {})
        except TimeoutError:
            await _kill(process)
            limit = self._start_seconds
            raise GatewayFailed(
                f"The gateway gave no catalogue within {limit:g} s: its log says what it waits for."
            ) from None
        except GatewayFailed as error:
            await _ended(process)
            raise GatewayFailed(
                f"The gateway did not start ({error}; exit code {process.returncode}): its last lines are above."
            ) from error
        if self._stopping.is_set() and process.stdin is not None:
            process.stdin.close()
        self._ready = not self._stopping.is_set()
        _log.info("the gateway serves %d tools", len(_list(catalogue.get("tools"))))
        return reader

    async def _asked(self, method: str, parameters: Message) -> Message:
        answer = await self._begin(method, parameters, None).result()
        if "error" in answer:
            raise GatewayFailed(str(_object(answer["error"]).get("message", answer["error"])))
        if not isinstance(answer.get("result"), dict):
            raise GatewayFailed(f"its answer to {method} has no result")
        return answer["result"]

    def _begin(self, method: str, parameters: Message, progress_token: object) -> Call:
        self._last_id += 1
        call = Call(self._last_id, progress_token)
        if progress_token is not None:
            parameters = {**parameters, "_meta": {**parameters["_meta"], "progressToken": call.own_id}}
        self._calls[call.own_id] = call
        self._send({"jsonrpc": "2.0", "id": call.own_id, "method": method, "params": parameters})
        return call

    def _send(self, message: Message) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                self._received(line)
        except ValueError:
            _log.error("the gateway wrote a line of more than %d bytes and is ended", _LINE_LIMIT_BYTES)
            process.kill()
        finally:
            self._ready = False
            calls, self._calls = self._calls, {}
            for call in calls.values():
                what = "the gateway ended before it answered"
                call.answer({"error": {"code": GATEWAY_LOST, "message": what}})

    def _received(self, line: bytes) -> None:
        try:
            message = _object(json.loads(line))
        except (ValueError, RecursionError):
            message = {}
        if not message:
            _log.warning("the gateway wrote a line that is no JSON-RPC message; it is left out")
            return
        method = message.get("method")
        if method is None:
            if call := self._calls.pop(_own_id(message.get("id")), None):
                call.answer({key: value for key, value in message.items() if key in ("result", "error")})
        elif "id" in message:
            self._answer_gateway(message)
        elif method == "notifications/progress":
            parameters = _object(message.get("params"))
            if call := self._calls.get(_own_id(parameters.get("progressToken"))):
                call.messages.put_nowait({**message, "params": {**parameters, "progressToken": call.progress_token}})
        else:
            self._broadcast(message)

    def _answer_gateway(self, request: Message) -> None:
        """The bridge declares no client capability, so that a ping is all the gateway may ask."""
        answer: Message = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] == "ping":
            self._send({**answer, "result": {}})
        else:
            self._send({**answer, "error": {"code": -32601, "message": "Method not found"}})


def _object(value: object) -> Message:
    """What should be an object, empty where it is none."""
    return cast("Message", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _own_id(value: object) -> int:
    """An id as the bridge gave it; 0, which it gives to no call, for anything else."""
    return value if isinstance(value, int) else 0


async def _ended(process: Process) -> None:
    """A gateway that closed its stdout is about to end by itself, and its own exit code says more than a kill's."""
    try:
        await asyncio.wait_for(process.wait(), _LAST_WORDS_SECONDS)
    except TimeoutError:
        await _kill(process)


async def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def _hello() -> Message:
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "capabilities": {},
        "clientInfo": {"name": "sentinel-bridge", "version": "1"},
    }
