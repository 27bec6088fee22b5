"""The operator's account in n8n, a key of its public API, and a workflow that is none of ours.

Owns: these, and one request to the public API. Deliberately does not: know the watch.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from console.errors import UserError
from lab.box import Box
from lab.box.network import inside
from lab.real.contextforge import http_call
from lab.real.n8n.containers import PORT

LIMIT_SECONDS = 60
_SETTING_UP = Path(__file__).with_name("account_inside.py")
_HTTP_CALL = Path(http_call.__file__).with_name("http_call_inside.py")

HEARTBEAT: dict[str, Any] = {
    "name": "Heartbeat",
    "nodes": [
        {
            "id": "7b1f4a52-5d0f-4c7e-8d0a-3f0d6a1c2b01",
            "name": "Every hour",
            "type": "n8n-nodes-base.scheduleTrigger",
            "typeVersion": 1.2,
            "position": [0, 0],
            "parameters": {"rule": {"interval": [{"field": "hours", "hoursInterval": 1}]}},
        },
        {
            "id": "7b1f4a52-5d0f-4c7e-8d0a-3f0d6a1c2b02",
            "name": "Beat",
            "type": "n8n-nodes-base.noOp",
            "typeVersion": 1,
            "position": [220, 0],
            "parameters": {},
        },
    ],
    "connections": {"Every hour": {"main": [[{"node": "Beat", "type": "main", "index": 0}]]}},
    "settings": {"executionOrder": "v1"},
}


def key(box: Box) -> str:
    """A key of the public API of an n8n that has no owner yet. Raises UserError."""
    account = {"email": "operator@example.net", "password": f"A1{secrets.token_urlsafe(16)}"}
    return _inside(box, _SETTING_UP, {"port": PORT, "label": "health watch", **account})["key"]


def api_call(box: Box, key: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The answer's document. Raises UserError when n8n does not answer, or refuses."""
    status, answer = exchange(box, key, method, path, body)
    if status >= 400:
        raise UserError(f"The lab's n8n says {status} to {method} {path}: {answer}")
    return answer


def exchange(box: Box, key: str, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Status and document of one request to the public API. Raises UserError when n8n does not answer."""
    request = {
        "port": PORT,
        "method": method,
        "path": f"/api/v1{path}",
        "headers": {"X-N8N-API-KEY": key, "Content-Type": "application/json"},
        "body": None if body is None else json.dumps(body),
        "limit_seconds": LIMIT_SECONDS,
    }
    answer = _inside(box, _HTTP_CALL, request)
    return answer["status"], json.loads(answer["body"])


def _inside(box: Box, program: Path, document: dict[str, Any]) -> Any:
    argv = inside(box.vps, [sys.executable, "-I", "-S", str(program)])
    done = subprocess.run(argv, input=json.dumps(document), capture_output=True, text=True, check=False)
    if done.returncode:
        last = "".join(done.stderr.strip().splitlines()[-1:])
        raise UserError(f"The lab's n8n did not answer: {last or 'no reason given'}.")
    return json.loads(done.stdout)
