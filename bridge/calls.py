"""The requests on their way to the gateway, and the routing of its messages.

Owns: the bridge's own request ids and progress tokens, so that sessions never mix.
Deliberately does not: read tool calls or answers; it routes JSON by id.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, cast

Message = dict[str, Any]

GATEWAY_LOST = -32001
"""JSON-RPC code for "the gateway is not there", from the range that JSON-RPC leaves to servers."""
REQUEST_CANCELLED = -32800
"""As the `mcp` SDK answers a cancelled request on this transport (LSP's RequestCancelled)."""

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


class Calls:
    """The calls without an answer yet; `send` writes a message to the gateway, `broadcast` one to every session."""

    def __init__(self, send: Callable[[Message], None], broadcast: Callable[[Message], None]) -> None:
        self._send = send
        self._broadcast = broadcast
        self._calls: dict[int, Call] = {}
        self._last_id = 0

    def begin(self, method: str, parameters: Message, progress_token: object = None) -> Call:
        """Send a request under an id of its own."""
        self._last_id += 1
        call = Call(self._last_id, progress_token)
        if progress_token is not None:
            parameters = {**parameters, "_meta": {**parameters["_meta"], "progressToken": call.own_id}}
        self._calls[call.own_id] = call
        self._send({"jsonrpc": "2.0", "id": call.own_id, "method": method, "params": parameters})
        return call

    async def result(self, method: str, parameters: Message) -> Message:
        """The result of a request of the bridge's own; raises GatewayFailed."""
        answer = await self.begin(method, parameters).result()
        if "error" in answer:
            raise GatewayFailed(str(_object(answer["error"]).get("message", answer["error"])))
        if not isinstance(answer.get("result"), dict):
            raise GatewayFailed(f"its answer to {method} has no result")
        return answer["result"]

    def cancel(self, call: Call, reason: str) -> None:
        """Notify the gateway, and answer the call: the gateway does not answer a cancelled request."""
        if call.answered:
            return
        self._calls.pop(call.own_id, None)
        parameters = {"requestId": call.own_id, "reason": reason}
        self._send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": parameters})
        call.answer({"error": {"code": REQUEST_CANCELLED, "message": f"Request cancelled: {reason}"}})

    def fail_all(self) -> None:
        """Answer every call with an error, since the gateway has ended."""
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.answer({"error": {"code": GATEWAY_LOST, "message": "the gateway ended before it answered"}})

    def receive(self, line: bytes) -> None:
        """Route one line of the gateway's stdout."""
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
        """The bridge declares no client capability, so that the gateway may send no request but a ping."""
        answer: Message = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] == "ping":
            self._send({**answer, "result": {}})
        else:
            self._send({**answer, "error": {"code": -32601, "message": "Method not found"}})


def _object(value: object) -> Message:
    """The value where it is an object, else an empty one."""
    return cast("Message", value) if isinstance(value, dict) else {}


def _own_id(value: object) -> int:
    """An id as the bridge gave it; 0, which it gives to no call, for anything else."""
    return value if isinstance(value, int) else 0
