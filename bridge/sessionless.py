"""Requests of MCP 2026-07-28, which has neither a handshake nor sessions: a client of ContextForge's may have agreed on
it there, and says nothing new when the bridge takes over (`reference/claude.md`).

Owns: what such a request and its answer have beside those of the older protocols, and `subscriptions/listen`.
Deliberately does not: answer `server/discover`. A client that begins here falls back to `initialize`.
Source: the official SDK's server (`mcp/server/_streamable_http_modern.py`, `mcp/server/subscriptions.py`, 2.3.0).
"""

from __future__ import annotations

from typing import cast

from .messages import Message

VERSION = "2026-07-28"
LISTEN = "subscriptions/listen"
_OWN = "io.modelcontextprotocol/"
_SUBSCRIPTION = f"{_OWN}subscriptionId"
_CACHING: Message = {"ttlMs": 0, "cacheScope": "private"}


def without_envelope(parameters: Message) -> Message:
    """The parameters without the protocol's own `_meta`, which a server of an older protocol may refuse."""
    meta = cast("Message", parameters.get("_meta") or {})
    return {**parameters, "_meta": {key: value for key, value in meta.items() if not key.startswith(_OWN)}}


def completed(message: Message, method: str) -> Message:
    """An answer as this protocol has it."""
    if not isinstance(message.get("result"), dict):
        return message
    caching = _CACHING if method.endswith("/list") else {}
    return {**message, "result": {**caching, "resultType": "complete", **message["result"]}}


def acknowledged(request_id: object) -> Message:
    """The first event of a subscription: the bridge notifies of changed tools, and of nothing else."""
    parameters = {"_meta": {_SUBSCRIPTION: request_id}, "notifications": {"toolsListChanged": True}}
    return {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": parameters}


def subscribed(message: Message, request_id: object) -> Message:
    """A notification as an event of the subscription."""
    return {**message, "params": {**message.get("params", {}), "_meta": {_SUBSCRIPTION: request_id}}}
