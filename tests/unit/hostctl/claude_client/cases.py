"""Claude's file before the cutover, the request of each verb, and what a test reads of both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt

from hostctl import claude_client
from hostctl.claude_client.request import EntryRequest

SECRET = "s" * 40
THEIRS = {"type": "http", "url": "http://127.0.0.1:9200/mcp", "headers": {"Authorization": "Bearer old"}}
AROUND: dict[str, Any] = {
    "b": "ä\u2028",
    "a": [1.10, 1e400, {}],
    "mcpServers": {"notes": {"command": "n"}, "contextforge": THEIRS},
}


def document(home: Path, **values: Any) -> dict[str, Any]:
    return {
        "file": str(home / ".claude.json"), "scope": "user", "project": "", "entry": "sentinel",
        "replaces": "contextforge",
        "url": "http://127.0.0.1:9200/mcp", "token_file": str(home / ".mcp-token"), "issuer": "sentinel-gateway",
        "folder": str(home / "product" / "claude"), "helper": str(home / "product" / "claude" / "headers"), **values,
    }  # fmt: skip


def act(verb: str, values: dict[str, Any]) -> dict[str, Any]:
    return getattr(claude_client, verb)(EntryRequest(**values))


def ours() -> str:
    claims = {"iss": "sentinel-gateway", "sub": "claude"}
    return jwt.encode(claims, SECRET, algorithm="HS256") + "\n"


def entries(home: Path) -> dict[str, Any]:
    return json.loads((home / ".claude.json").read_text())["mcpServers"]
