"""MCP over streamable HTTP (protocol 2025-11-25 and older): its POST, GET and DELETE.

Owns: the sessions' handshake, and the relay of requests and answers, as JSON or as an event stream.
Deliberately does not: begin with protocol 2026-07-28; it goes on with one that ContextForge began (`sessionless.py`).
`server/discover` gets HTTP 400 with -32601, on which Claude Code and the SDK's clients fall back to `initialize`
(`reference/claude.md`). No resuming of streams either: no event ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncGenerator
from typing import cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from . import sessionless
from .calls import GATEWAY_LOST, TOO_MANY_CALLS, Call, GatewayFailed, QueueFull
from .drain import Drain
from .gateways import Gateways
from .guard import Guard, Refused, refusal
from .messages import TOOLS_CHANGED, Message, NotStrict, dumped, failure, strict
from .predecessor import Predecessor
from .sessions import Session, Sessions, Stream
from .tokens import Caller

PROTOCOL_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
SESSION_HEADER = "mcp-session-id"
METHODS = ("GET", "POST", "DELETE")

_SILENT_SECONDS = 2.0
"""An answer within this time is plain JSON; a longer one becomes a stream, so that the client sees it alive."""
_KEEPALIVE_SECONDS = 15.0
_UNLISTED_SECONDS = 1.0
_EVENT_STREAM = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
_DEEPEST = 100
"""Levels of a message; the gateway's own reader takes 127."""
_PARSE_ERROR, _INVALID_REQUEST, _METHOD_NOT_FOUND, _INVALID_PARAMETERS = -32700, -32600, -32601, -32602


class Endpoint:
    """The whole ASGI application. No router: it would answer a method or a target before the token was checked."""

    def __init__(
        self, path: str, guard: Guard, gateways: Gateways, sessions: Sessions, predecessor: Predecessor, drain: Drain
    ) -> None:
        self._guard = guard
        self._predecessor = predecessor
        self._drain = drain
        self._gateways = gateways
        self._sessions = sessions
        self._path = path
        self._shared_calls = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._handle(Request(scope, receive, send))
        await response(scope, receive, send)

    async def _handle(self, request: Request) -> Response:
        try:
            caller = self._guard.caller(request)
            if self._drain.is_for(request, caller):
                return await self._drain.answer(await self._guard.body(request))
            # Not request.url: it is made of what the client sent and cannot be parsed for every target.
            if request.scope["path"].rstrip("/") != self._path:
                raise refusal(404, "not_found", f"MCP is at {self._path}")
            if request.method not in METHODS:
                allowed = ", ".join(METHODS)
                raise refusal(405, "method_not_allowed", f"MCP is spoken with {allowed}", {"Allow": allowed})
            if request.method == "POST":
                return await self._post(request, caller)
            session = self._session(request, caller)
            if request.method == "DELETE":
                self._sessions.end(session, "the session was ended")
                return Response(status_code=200)
            return self._listen(request, session)
        except Refused as refused:
            return refused.response

    async def _post(self, request: Request, caller: Caller) -> Response:
        if not request.headers.get("content-type", "").lower().startswith("application/json"):
            raise refusal(415, "wrong_content_type", "Content-Type must be application/json")
        message = _parsed(await self._guard.body(request))
        method = message.get("method")
        version = request.headers.get("mcp-protocol-version")
        is_sessionless = version == sessionless.VERSION and caller.predecessor and method != "server/discover"
        if method == "server/discover" or not (version is None or version in PROTOCOL_VERSIONS or is_sessionless):
            text = f"Method not found: this server speaks {PROTOCOL_VERSIONS[-1]} and older, begin with initialize"
            raise _rpc_refusal(400, message.get("id"), _METHOD_NOT_FOUND, text)
        if method == "initialize" and "id" in message:
            return self._initialize(message, caller)
        session = self._session(request, caller)
        if is_sessionless and method == sessionless.LISTEN and "id" in message:
            return self._listen(request, session, message["id"])
        if "id" not in message or method is None:
            self._notification(session, message)
            return Response(status_code=202)
        if method == "ping":
            return _json({"jsonrpc": "2.0", "id": message["id"], "result": {}})
        return await self._relay(request, session, message, is_sessionless)

    def _session(self, request: Request, caller: Caller) -> Session:
        session_id = request.headers.get(SESSION_HEADER)
        if session_id is None and caller.predecessor and (shared := self._sessions.shared(caller)):
            return shared
        if not session_id:
            raise _rpc_refusal(400, None, _INVALID_REQUEST, "Bad Request: no session, begin with initialize")
        session = self._sessions.find(session_id, caller)
        if session is None:
            raise _rpc_refusal(404, None, _INVALID_REQUEST, "Session not found: begin with initialize")
        return session

    def _initialize(self, message: Message, caller: Caller) -> Response:
        session = self._sessions.open(caller)
        if session is None:
            raise refusal(503, "too_many_sessions", "end one, or wait until an idle one ends")
        if caller.predecessor:
            self._predecessor.count_session()
        requested = _parameters(message).get("protocolVersion")
        version = requested if requested in PROTOCOL_VERSIONS else PROTOCOL_VERSIONS[-1]
        own = {"protocolVersion": version, "capabilities": {"tools": {"listChanged": True}}}
        result = {**self._gateways.initialize_result, **own}
        return _json({"jsonrpc": "2.0", "id": message["id"], "result": result}, {SESSION_HEADER: session.id})

    def _notification(self, session: Session, message: Message) -> None:
        """A client's notification: a cancellation gives its call up, all others end here."""
        if message.get("method") == "notifications/cancelled":
            parameters = _parameters(message)
            call = session.calls.get(_key(parameters.get("requestId")))
            if call is not None:
                call.cancel(str(parameters.get("reason", "cancelled by the client")))

    async def _relay(self, request: Request, session: Session, message: Message, is_sessionless: bool) -> Response:
        parameters = _parameters(message)
        if is_sessionless:
            parameters = sessionless.without_envelope(parameters)
        token = cast("Message", parameters.get("_meta") or {}).get("progressToken")
        key = _key(message["id"])
        if session.is_shared:
            key = f"{key} {next(self._shared_calls)}"
        if key in session.calls:
            raise _rpc_refusal(400, message["id"], _INVALID_REQUEST, "this request id is in use")
        method, predecessors = message["method"], session.caller.predecessor
        session.listed = session.listed or method == "tools/list"
        if predecessors and method == "tools/call":
            self._predecessor.count_call()
        try:
            call = self._gateways.begin(method, parameters, token, predecessors)
        except GatewayFailed as error:
            return _json(_error(message["id"], GATEWAY_LOST, str(error)))
        except QueueFull as error:
            return _json(_error(message["id"], TOO_MANY_CALLS, str(error)))
        session.add(key, call)
        exchange = _exchange(message["id"], call, method if is_sessionless else "")
        if "text/event-stream" not in request.headers.get("accept", ""):
            return _json([item async for item in exchange if item is not None][-1])
        first = await anext(exchange)
        if first is not None and "method" not in first:
            await exchange.aclose()
            return _json(first)
        return StreamingResponse(_events(exchange, first), media_type="text/event-stream", headers=_EVENT_STREAM)

    def _listen(self, request: Request, session: Session, subscription: object = None) -> Response:
        if "text/event-stream" not in request.headers.get("accept", ""):
            raise refusal(406, "not_acceptable", "the answer is an event stream: accept text/event-stream")
        stream = Stream()
        session.streams.add(stream)
        events = _notifications(session, stream, subscription)
        return StreamingResponse(events, media_type="text/event-stream", headers=_EVENT_STREAM)


async def _exchange(client_id: object, call: Call, sessionless_method: str) -> AsyncGenerator[Message | None]:
    """The call's messages for the client, the answer last; None after a while without one.

    A client that goes away leaves the call running: in this protocol only `notifications/cancelled` cancels.
    """
    limit = _SILENT_SECONDS
    while True:
        try:
            message = await asyncio.wait_for(call.messages.get(), limit)
        except TimeoutError:
            yield None
            limit = _KEEPALIVE_SECONDS
            continue
        if "method" not in message:
            answer = {"jsonrpc": "2.0", "id": client_id, **message}
            yield sessionless.completed(answer, sessionless_method) if sessionless_method else answer
            return
        yield message


async def _events(exchange: AsyncGenerator[Message | None], first: Message | None) -> AsyncGenerator[str]:
    async with contextlib.aclosing(exchange):
        yield _event(first)
        async for message in exchange:
            yield _event(message)


async def _notifications(session: Session, stream: Stream, subscription: object) -> AsyncGenerator[str]:
    """The events of one stream; `subscription` is the id of the request that opened it, None for a GET."""
    limit = _UNLISTED_SECONDS

    def event(message: Message) -> str:
        return _event(message if subscription is None else sessionless.subscribed(message, subscription))

    try:
        if subscription is not None:
            yield _event(sessionless.acknowledged(subscription))
        while True:
            try:
                message = await asyncio.wait_for(stream.messages.get(), limit)
            except TimeoutError:
                # A client whose session is new and that lists no tools still has those of another gateway.
                first = limit == _UNLISTED_SECONDS
                is_unlisted = first and (session.is_shared or not session.listed)
                yield event(TOOLS_CHANGED) if is_unlisted else _event(None)
                session.listed, limit = True, _KEEPALIVE_SECONDS
                continue
            if message is None:
                return
            yield event(message)
    finally:
        session.streams.discard(stream)
        session.touch()


def _event(message: Message | None) -> str:
    if message is None:
        return ": still here\r\n\r\n"
    return f"event: message\r\ndata: {dumped(message)[:-1].decode()}\r\n\r\n"


def _parsed(body: bytes) -> Message:
    """The one message of a body, as the gateway can read it; raises Refused."""
    try:
        body.decode()
        value, _ = strict(body, _DEEPEST)
    except (UnicodeDecodeError, NotStrict) as error:
        reason = str(error) if isinstance(error, NotStrict) else "it is not UTF-8"
        raise _rpc_refusal(400, None, _PARSE_ERROR, f"Parse error: {reason}") from error
    if not isinstance(value, dict) or cast("Message", value).get("jsonrpc") != "2.0":
        raise _rpc_refusal(400, None, _INVALID_REQUEST, "Invalid request: one JSON-RPC 2.0 message is expected")
    message = cast("Message", value)
    own_id = message.get("id", 0)
    if isinstance(own_id, bool) or not isinstance(own_id, (str, int, float)):
        raise _rpc_refusal(400, None, _INVALID_REQUEST, "Invalid request: an id is a string or a number")
    if not isinstance(message.get("method", ""), str):
        raise _rpc_refusal(400, message.get("id"), _INVALID_REQUEST, "Invalid request: a method is a string")
    parameters = message.get("params", {})
    if not isinstance(parameters, dict) or not isinstance(cast("Message", parameters).get("_meta", {}), dict):
        raise _rpc_refusal(400, message.get("id"), _INVALID_PARAMETERS, "Invalid params: params and _meta are objects")
    return message


def _parameters(message: Message) -> Message:
    return cast("Message", message.get("params", {}))


def _key(request_id: object) -> str:
    """1 and "1" are two ids."""
    return json.dumps(request_id)


def _error(request_id: object, code: int, text: str) -> Message:
    return {"jsonrpc": "2.0", "id": request_id, **failure(code, text)}


def _rpc_refusal(status: int, request_id: object, code: int, text: str) -> Refused:
    response = _json(_error(request_id, code, text))
    response.status_code = status
    return Refused(response)


def _json(message: Message, headers: dict[str, str] | None = None) -> Response:
    # Not JSONResponse: half a surrogate pair in a client's id or a tool's answer has no UTF-8, but an escape.
    return Response(dumped(message)[:-1], media_type="application/json", headers=headers)
