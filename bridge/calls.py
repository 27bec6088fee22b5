"""The requests on their way to one gateway process, and the routing of its messages.

A gateway answers one request at a time, in the order of arrival (`reference/sentinel-behaviour.md`). So the queue is
here: one request is with the gateway, the others wait, and a queued one that is cancelled never runs.

Owns: the queue and its length, the limit of each call, the bridge's own request ids and progress tokens.
Deliberately does not: read tool calls or answers; it routes JSON by id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import cast

from .messages import Message, NotStrict, failure, outcome, own_answer, strict

GATEWAY_LOST = -32001
"""JSON-RPC code for "the gateway is not there", from the range that JSON-RPC leaves to servers."""
TOO_MANY_CALLS, NO_ANSWER, ANSWER_TOO_LARGE = -32010, -32011, -32012
"""JSON-RPC codes for a full queue, a call over its limit and an answer over its own."""
REQUEST_CANCELLED = -32800
"""As the `mcp` SDK answers a cancelled request on this transport (LSP's RequestCancelled)."""

_PROGRESS_LIMIT = 256

_log = logging.getLogger("bridge")


class GatewayFailed(Exception):
    """The gateway did not start, or is not there now; one sentence."""


class QueueFull(Exception):
    """More calls wait than may; one sentence."""


class Call:
    """One request on its way: progress notifications, then the answer, in the order in which they came."""

    def __init__(self, own_id: int, request: Message, progress_token: object = None, limit_seconds: float = 0) -> None:
        self.own_id = own_id
        self.request = request
        self.progress_token = progress_token
        self.limit_seconds = limit_seconds
        self.queued = time.monotonic()
        self.when_cancelled: Callable[[], None] | None = None
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.answered = self.begun = False
        self.when_answered: Callable[[], None] | None = None

    def answer(self, message: Message) -> None:
        if not self.answered:
            self.answered = True
            self.messages.put_nowait(message)
            if self.when_answered is not None:
                self.when_answered()

    def cancel(self, reason: str) -> None:
        """Answer the call. One in work goes on at the gateway, which knows no cancellation."""
        if not self.answered:
            if self.when_cancelled is not None:
                self.when_cancelled()
            self.answer(failure(REQUEST_CANCELLED, f"Request cancelled: {reason}"))

    def cut_off(self) -> None:
        """Answer the call, since another gateway takes over; one that waits for its turn never runs."""
        if self.begun:
            text = "another gateway takes over: the call was cut off, and may have run"
        else:
            text = "another gateway takes over: the call did not run, make it again"
            if self.when_cancelled is not None:
                self.when_cancelled()
        self.answer(failure(GATEWAY_LOST, text))

    def progress(self, message: Message) -> None:
        # A client that does not read loses progress, not the bridge its memory.
        if self.messages.qsize() < _PROGRESS_LIMIT:
            self.messages.put_nowait(message)

    async def result(self) -> Message:
        """The answer alone; progress is passed over."""
        while "method" in (message := await self.messages.get()):
            pass
        return message


class Calls:
    """The calls without an answer yet.

    `send` writes a message to the gateway, `broadcast` one to every session; `stuck` is called when the gateway gave no
    answer within a call's limit, `cancelled` when the client of the call in work gave it up, `waited` with the seconds
    that a call was in the queue.
    """

    def __init__(
        self,
        send: Callable[[Message], None],
        broadcast: Callable[[Message], None],
        queue_length: int,
        stuck: Callable[[], None],
        cancelled: Callable[[], None],
        waited: Callable[[float], None],
    ) -> None:
        self._send = send
        self._broadcast = broadcast
        self._queue_length = queue_length
        self._stuck = stuck
        self._cancelled = cancelled
        self._waited = waited
        self._queue: deque[Call] = deque()
        self._in_work: Call | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._open = False
        self._last_id = 0
        self.idle = asyncio.Event()
        self.idle.set()

    def open(self) -> None:
        """Pass calls on: the gateway serves."""
        self._open = True
        self._next()

    def close(self) -> None:
        """Pass no call on any more; the one in work may end."""
        self._open = False

    def begin(self, method: str, parameters: Message, progress_token: object, limit_seconds: float) -> Call:
        """Queue a request under an id of its own, with its limit from its turn on; raises QueueFull."""
        if len(self._queue) >= self._queue_length:
            raise QueueFull(f"{self._queue_length} calls wait for the gateway already: try again later")
        call = self._call(method, parameters, progress_token, limit_seconds)
        call.when_cancelled = partial(self._give_up, call)
        self._queue.append(call)
        self._next()
        return call

    async def result(self, method: str, parameters: Message) -> Message:
        """The result of a request of the bridge's own, before the queue is open; raises GatewayFailed."""
        call = self._call(method, parameters)
        self._put_in_work(call)
        answer = await call.result()
        if "error" in answer:
            raise GatewayFailed(str(_object(answer["error"]).get("message", answer["error"])))
        if not isinstance(answer.get("result"), dict):
            raise GatewayFailed(f"its answer to {method} has no result")
        return answer["result"]

    def _give_up(self, call: Call) -> None:
        if call in self._queue:
            self._queue.remove(call)
            self._waited(time.monotonic() - call.queued)
        elif call is self._in_work:
            self._cancelled()

    def fail_in_work(self) -> None:
        """Answer the call in work with an error, since the gateway has ended; the queued ones wait for the next."""
        self.close()
        if call := self._done():
            call.answer(failure(GATEWAY_LOST, "the gateway ended before it answered"))

    def fail_queued(self, reason: str) -> None:
        queue, self._queue = self._queue, deque()
        for call in queue:
            call.answer(failure(GATEWAY_LOST, reason))

    def receive_too_large(self, limit_bytes: int) -> None:
        """An answer over the limit is that of the call in work, and fails it alone."""
        if call := self._done():
            call.answer(failure(ANSWER_TOO_LARGE, f"the answer has more than {limit_bytes} bytes"))
        self._next()

    def _call(self, method: str, parameters: Message, progress_token: object = None, limit_seconds: float = 0) -> Call:
        self._last_id += 1
        if progress_token is not None:
            parameters = {**parameters, "_meta": {**parameters["_meta"], "progressToken": self._last_id}}
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": parameters}
        return Call(self._last_id, request, progress_token, limit_seconds)

    def _next(self) -> None:
        if self._open and self._in_work is None and self._queue:
            call = self._queue.popleft()
            self._waited(time.monotonic() - call.queued)
            self._put_in_work(call)
            self._limit = asyncio.get_running_loop().call_later(call.limit_seconds, self._expired, call)

    def _put_in_work(self, call: Call) -> None:
        self._in_work = call
        call.begun = True
        self.idle.clear()
        self._send(call.request)

    def _done(self) -> Call | None:
        """The call that was in work, which is so no more."""
        call, self._in_work = self._in_work, None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        self.idle.set()
        return call

    def _expired(self, call: Call) -> None:
        call.answer(failure(NO_ANSWER, f"the gateway gave no answer within {call.limit_seconds:g} s"))
        _log.error("the gateway gave no answer within %g s and is started again", call.limit_seconds)
        self._stuck()

    def receive(self, line: bytes) -> None:
        """Route one line of the gateway's stdout."""
        try:
            message = _object(strict(line)[0])
        except NotStrict:
            message = {}
        if not message:
            _log.warning("the gateway wrote a line that is no JSON-RPC message; it is left out")
            return
        method, call = message.get("method"), self._in_work
        if method is None:
            # The gateway answers what it could not read with an error under the id null.
            unread = message.get("id") is None and "error" in message
            if call is not None and (unread or _is_own(message.get("id"), call)):
                self._done()
                call.answer(outcome(message))
                self._next()
        elif "id" in message:
            self._send(own_answer(message))
        elif method == "notifications/progress":
            parameters = _object(message.get("params"))
            if call is not None and _is_own(parameters.get("progressToken"), call):
                call.progress({**message, "params": {**parameters, "progressToken": call.progress_token}})
        else:
            self._broadcast(message)


def _object(value: object) -> Message:
    """The value where it is an object, else an empty one."""
    return cast("Message", value) if isinstance(value, dict) else {}


def _is_own(value: object, call: Call) -> bool:
    """Compare an id with the one that the bridge gave to the call."""
    return isinstance(value, int) and value == call.own_id
