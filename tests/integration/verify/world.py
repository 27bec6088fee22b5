"""The programs of `verify` with the host's canned answers."""

from __future__ import annotations

import io
import json
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.bridge.client import token
from verify.__main__ import main

SECONDS = {"start_seconds": 5, "gate_seconds": 20, "upstream_seconds": 1, "limit_seconds": 30}
INSPECTED = {
    "active": "contextforge",
    "holder": "mcp-context-forge-gateway-1",
    "name": "sentinel-gateway-1",
    "rolled_back": False,
    "log": "x",
}
TOOLS = ["alpha_count", "alpha_echo", "alpha_fail", "alpha_pid", "alpha_slow"]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@dataclass
class World:
    """The host's canned answers, and the program under test."""

    folder: Path
    url: str
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    probes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __post_init__(self) -> None:
        shutil.copy(Path(__file__).with_name("hostctl_of_answers.py"), self.folder / "hostctl.pyz")
        address = urlsplit(self.url)
        where = {"address": address.hostname, "inside_port": address.port, "serves": False, "running": True}
        self.answers = {
            "gates inspect": {**INSPECTED, **where},
            "sentinel start": {"healthy_after_ms": 3},
            "sentinel stop": {"state": "stopped"},
            "gates secrets": {"files": ["DATABASE_URL", "JWT_SECRET_KEY"]},
            "gates migrations": {"tables": ["audit_log", "_sqlx_migrations"]},
            "gates health": {"status": 200},
            "gates metrics": {"backends": {"alpha": True}},
            "gates audit": {"last": 7, "rows": {"alpha_echo": 2}},
            "gates upstream": {"unreachable": {}},
            "token show": {"token": token()},
            "baseline read": {"baseline": None, "predecessor_serves": True},
            "claude show": {
                "entry": "sentinel", "transport": "http", "url": self.url, "file": "/home/operator/.claude.json",
                "headers": {"Authorization": f"Bearer {token()}"}, "before": [f"Bearer {token(iss='mcpgateway')}"],
            },
            "verification inspect": {
                "active": "sentinel", "holder": "sentinel-gateway-1", "baseline": None,
                "bindings": {"ok": True, "listening": [], "reachable": [], "tried": 4},
                "as_declared": {"ok": True, "containers": ["sentinel-gateway-1"], "differences": []},
            },
        }  # fmt: skip
        self.probes = [
            {"name": "alpha", "tool": "alpha_echo", "arguments": {"text": "x"}, "expect": {"contains": ["alpha:x"]}}
        ]

    def run(self, command: str, **more: Any) -> Done:
        (self.folder / "answers.json").write_text(json.dumps(self.answers))
        port = urlsplit(self.url).port
        shared = {
            "host": {"program": str(self.folder / "hostctl.pyz"), "docker_socket": "/nowhere"},
            "gateway": "mcp-context-forge-gateway-1", "port": port, "probes": self.probes,
        }  # fmt: skip
        own: dict[str, dict[str, Any]] = {
            "baseline": {"claude": {}, "folder": "/nowhere", "limit_seconds": 30},
            "gates": {
                "active": "sentinel", "container": "c" * 64, "user": "1:1", "internal": "sentinel",
                "edge": "sentinel-edge", "health_port": 9201, "token_file": "/nowhere",
                "database": {"container": "sentinel-postgres", "role": "s", "name": "s"},
                **{key: value for key, value in SECONDS.items() if key != "limit_seconds"},
            },
            "verification": {
                "claude": {"sentinel": {}, "contextforge": {}}, "health_port": 9201, "folder": "/nowhere",
                "baseline_folder": "/nowhere", "limit_seconds": 30, "rollback": "give it back",
            },
        }  # fmt: skip
        document = {**shared, **own["verification" if command == "check" else command], **more}
        out, err = io.StringIO(), io.StringIO()
        stdin = io.TextIOWrapper(io.BytesIO(json.dumps(document).encode()))
        with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "stdin", stdin)
            code = main([command])
        return Done(code, out.getvalue(), err.getvalue())

    def calls(self) -> list[str]:
        return [json.loads(line)[0] for line in (self.folder / "calls.jsonl").read_text().splitlines()]


def baseline(world: World, *more: str, alpha: str = "ok") -> dict[str, Any]:
    tools = [{"name": f"alpha-{tool.replace('_', '-')}", "schema_hash": "0"} for tool in [*TOOLS, *more]]
    seen = {"name": "alpha", "tool": "alpha-alpha-echo", "result": alpha, "kind": "text"}
    return {"entry": "contextforge", "transport": "http", "tools": tools, "backends": [seen]}
