"""The way that Claude goes: its own entry, resolved on the host, with exactly the header that Claude would send.

Owns: turning what `hostctl claude show` answers into a way to ask. The answer holds a token; it stays in memory.
Deliberately does not: read Claude's file itself.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .client import HttpWay, Way
from .reach import HostRefused, Reach

SHOW_SECONDS = 45.0


@dataclass(frozen=True)
class Entry:
    """Claude's entry; `before` are the Authorization values with which Claude reached the predecessor. Never shown."""

    name: str
    transport: str
    way: Way
    before: tuple[str, ...]


@asynccontextmanager
async def entry(reach: Reach, place: Mapping[str, Any]) -> AsyncGenerator[Entry]:
    """The entry at that place, ready to be asked; raises HostRefused, which says what is wrong with it."""
    shown = await reach.hostctl("claude", "show", place, SHOW_SECONDS)
    before = tuple(shown["before"])
    if shown["transport"] == "stdio":
        program = reach.program(shown["command"], shown["args"], shown["env"])
        yield Entry(shown["entry"], "stdio", program, before)
        return
    try:
        address = urlsplit(str(shown["url"]))
        host, port = address.hostname, address.port or (443 if address.scheme == "https" else 80)
    except ValueError:
        host, port = None, 0
    if not host:
        raise HostRefused(f"Claude's entry {shown['entry']} has no usable URL: correct it in {shown['file']}")
    async with reach.transport(host, port) as transport:
        yield Entry(shown["entry"], "http", HttpWay(shown["url"], shown["headers"], transport), before)
