"""Claude's own entry, resolved on the host, with exactly the header that Claude would send.

The answer of `hostctl claude show` holds a token; it stays in memory.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .client import Endpoint, HttpEndpoint
from .host import HostConnection, HostRefused

SHOW_SECONDS = 45.0


@dataclass(frozen=True)
class Entry:
    """Claude's entry; `before` are the Authorization values with which Claude reached the predecessor. Never shown."""

    name: str
    transport: str
    endpoint: Endpoint
    before: tuple[str, ...]


@asynccontextmanager
async def entry(host: HostConnection, place: Mapping[str, Any]) -> AsyncGenerator[Entry]:
    """The entry at that place with its open transport; raises HostRefused, which explains what is wrong with it."""
    shown = await host.hostctl("claude", "show", place, SHOW_SECONDS)
    before = tuple(shown["before"])
    if shown["transport"] == "stdio":
        program = host.program(shown["command"], shown["args"], shown["env"])
        yield Entry(shown["entry"], "stdio", program, before)
        return
    try:
        address = urlsplit(str(shown["url"]))
        name, port = address.hostname, address.port or (443 if address.scheme == "https" else 80)
    except ValueError:
        name, port = None, 0
    if not name:
        raise HostRefused(f"Claude's entry {shown['entry']} has no usable URL: correct it in {shown['file']}")
    async with host.transport(name, port) as transport:
        yield Entry(shown["entry"], "http", HttpEndpoint(shown["url"], shown["headers"], transport), before)
