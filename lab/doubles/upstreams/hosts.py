"""The names of the outside, each with an address of its own, so that one of them can be taken away alone.

Owns: names, addresses, ports. Deliberately does not: answer for them (server.py), nor start anything.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Upstream:
    """One host of the outside; `address` is for documentation (RFC 5737)."""

    host: str
    address: str
    port: int = 80


CONTEXT7 = Upstream("context7.com", "203.0.113.21")
FIRECRAWL = Upstream("api.firecrawl.dev", "203.0.113.22")
EXA = Upstream("api.exa.ai", "203.0.113.23", port=443)
"""Its published server insists on TLS and, without a key, never calls: the port is there to be connected to."""
N8N = Upstream("n8n.example.net", "203.0.113.24")

DISCORD = Upstream("discord.com", "203.0.113.25")

UPSTREAMS = (CONTEXT7, FIRECRAWL, EXA, N8N)
"""For which lab/doubles/upstreams/server.py answers."""
NAMES = (*UPSTREAMS, DISCORD)
"""All that resolve; Discord has a double of its own, lab/doubles/discord."""
