"""MCP over streamable HTTP (protocol 2025-11-25 and older): its POST, GET and DELETE.

Owns: the sessions' handshake, and the relay of requests and answers, as JSON or as an event stream.
Deliberately does not: speak protocol 2026-07-28. `server/discover` gets HTTP 400 with -32601, on which Claude Code and
the SDK's clients fall back to `initialize` (`reference/claude.md`). No resuming of streams either: no event ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .calls import GATEWAY_LOST, Call, GatewayFailed, Message
from .gateway import Gateway
from .guard import Guard, Refused, refusal
from .sessions import Session, Sessions, Stream
from .tokens import Caller

PROTOCOL_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
SESSION_HEADER = "mcp-session-id"
METHODS = ("GET", "POST", "DELETE")

_SILENT_SECONDS = 2.0
"""An answer within this time is plain JSON; a longer one becomes a stream, so that the client sees it alive."""
_KEEPALIVE_SECONDS = 15.0
_EVENT_STREAM = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
_PARSE_ERROR, _INVALID_REQUEST, _METHOD_NOT_FOUND = -32700, -32600, -32601


class Endpoint:
    """The whole ASGI application. No router: it would answer a method or a target before the token was checked."""

    def __init__(self, path: str, guard: Guard, gateway: Gateway, sessions: Sessions) -> None:
        self._guard = guard
        self._gateway = gateway
        self._sessions = sessions
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._handle(Request(scope, receive, send))
        await response(scope, receive, send)

    async def _handle(self, request: Request) -> Response:
        try:
            caller = self._guard.caller(request)
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
        if method == "server/discover" or (version is not None and version not in PROTOCOL_VERSIONS):
            text = f"Method not found: this server speaks {PROTOCOL_VERSIONS[-1]} and older, begin with initialize"
            raise _rpc_refusal(400, message.get("id"), _METHOD_NOT_FOUND, text)
        if method == "initialize" and "id" in message:
            return self._initialize(message, caller)
        session = self._session(request, caller)
        if "id" not in message or method is None:
            self._notification(session, message)
            return Response(status_code=202)
        if method == "ping":
            return _json({"jsonrpc": "2.0", "id": message["id"], "result": {}})
        return await self._relay(request, session, message)

    def _session(self, request: Request, caller: Caller) -> Session:
        session_id = request.headers.get(SESSION_HEADER)
        if session_id is None:
            raise _rpc_refusal(400, None, _INVALID_REQUEST, "Bad Request: no session, begin with initialize")
        session = self._sessions.find(session_id, caller.subject)
        if session is None:
            raise _rpc_refusal(404, None, _INVALID_REQUEST, "Session not found: begin with initialize")
        return session

    def _initialize(self, message: Message, caller: Caller) -> Response:
        session = self._sessions.open(caller.subject)
        if session is None:
            raise refusal(503, "too_many_sessions", "end one, or wait until an idle one ends")
        requested = _parameters(message).get("protocolVersion")
        version = requested if requested in PROTOCOL_VERSIONS else PROTOCOL_VERSIONS[-1]
        result = {**self._gateway.initialize_result, "protocolVersion": version}
        return _json({"jsonrpc": "2.0", "id": message["id"], "result": result}, {SESSION_HEADER: session.id})

    def _notification(self, session: Session, message: Message) -> None:
        """A client's notification: a cancellation is passed on under the gateway's id, all others end here."""
        if message.get("method") == "notifications/cancelled":
            parameters = _parameters(message)
            call = session.calls.get(_key(parameters.get("requestId")))
            if call is not None:
                self._gateway.cancel(call, str(parameters.get("reason", "cancelled by the client")))

    async def _relay(self, request: Request, session: Session, message: Message) -> Response:
        parameters = _parameters(message)
        token = cast("Message", parameters.get("_meta") or {}).get("progressToken")
        key = _key(message["id"])
        await self._gateway.renewed()
        if key in session.calls:
            raise _rpc_refusal(400, message["id"], _INVALID_REQUEST, "this request id is in use")
        try:
            call = self._gateway.begin(message["method"], parameters, token)
        except GatewayFailed as error:
            return _json(_error(message["id"], GATEWAY_LOST, str(error)))
        session.add(key, call)
        exchange = _exchange(message["id"], call)
        if "text/event-stream" not in request.headers.get("accept", ""):
            return _json([item async for item in exchange if item is not None][-1])
        first = await anext(exchange)
        if first is not None and "method" not in first:
            await exchange.aclose()
            return _json(first)
        return StreamingResponse(_events(exchange, first), media_type="text/event-stream", headers=_EVENT_STREAM)

    def _listen(self, request: Request, session: Session) -> Response:
        if "text/event-stream" not in request.headers.get("accept", ""):
            raise refusal(406, "not_acceptable", "a GET is an event stream: accept text/event-stream")
        stream = Stream()
        session.streams.add(stream)
        return StreamingResponse(_notifications(session, stream), media_type="text/event-stream", headers=_EVENT_STREAM)


async def _exchange(client_id: object, call: Call) -> AsyncGenerator[Message | None]:
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
            yield {"jsonrpc": "2.0", "id": client_id, **message}
            return
        yield message


async def _events(exchange: AsyncGenerator[Message | None], first: Message | None) -> AsyncGenerator[str]:
    async with contextlib.aclosing(exchange):
        yield _event(first)
        async for message in exchange:
            yield _event(message)


async def _notifications(session: Session, stream: Stream) -> AsyncGenerator[str]:
    try:
        while True:
            try:
                message = await asyncio.wait_for(stream.messages.get(), _KEEPALIVE_SECONDS)
            except TimeoutError:
                yield _event(None)
                continue
            if message is None:
                return
            yield _event(message)
    finally:
        session.streams.discard(stream)
        session.touch()


def _event(message: Message | None) -> str:
    if message is None:
        return ": still here\r\n\r\n"
    return f"event: message\r\ndata: {json.dumps(message, separators=(',', ':'))}\r\n\r\n"


def _parsed(body: bytes) -> Message:
    try:
        message: Any = json.loads(body)
    except ValueError as error:
        raise _rpc_refusal(400, None, _PARSE_ERROR, "Parse error: the body is not JSON") from error
    if not isinstance(message, dict) or cast("Message", message).get("jsonrpc") != "2.0":
        raise _rpc_refusal(400, None, _INVALID_REQUEST, "Invalid request: one JSON-RPC 2.0 message is expected")
    return cast("Message", message)


def _parameters(message: Message) -> Message:
    parameters = message.get("params")
    return cast("Message", parameters) if isinstance(parameters, dict) else {}


def _key(request_id: object) -> str:
    """1 and "1" are two ids."""
    return json.dumps(request_id)


def _error(request_id: object, code: int, text: str) -> Message:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": text}}


def _rpc_refusal(status: int, request_id: object, code: int, text: str) -> Refused:
    return Refused(JSONResponse(_error(request_id, code, text), status))


def _json(message: Message, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(message, headers=headers)
