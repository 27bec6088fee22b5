"""`n8n send`: one test message by n8n's own way to Discord: its schedule, its Discord node, the credential it keeps.

Owns: a workflow that lives for one message, with a copy of the watch's Discord node in it, and n8n's own word on how
its run ended. What a killed run left is cleared by the next, and by `n8n remove`.
Deliberately does not: touch the watch, or know the webhook.
"""

from __future__ import annotations

import time
from typing import Any

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.health_watch import n8n_api
from hostctl.health_watch.n8n_mark import ours, sender

EVERY_SECONDS = 5
POLL_SECONDS = 0.5
MARK = "5e471e1a-0a7c-4d1e-9c00-0000000000a1"
_ONCE = (
    "const memory = $getWorkflowStaticData('global');\n"
    "if (memory.sent) return [];\n"
    "memory.sent = true;\n"
    "return [{ json: { embed: EMBED } }];\n"
)


def send(document: Document) -> dict[str, Any]:
    """{"sent": true}, or {"sent": false, "reason"}; raises Refusal where n8n cannot be asked, or has no watch."""
    api = n8n_api.Api(document.text("url"), document.text("key"), 5)
    found = api.workflows()
    clear(api, found)
    watch = ours(found, document.text("mark"))
    if watch is None:
        raise Refusal("n8n has no watch of ours: `make up` makes it")
    identity = api.make(_workflow(sender(watch), document.text("embed")))
    try:
        api.publish(identity)
        return _ended(api, identity, document.seconds("limit_seconds", 30))
    finally:
        api.retire(identity)


def clear(api: n8n_api.Api, found: list[dict[str, Any]]) -> None:
    """Ends what a killed `send` left behind."""
    left = ours(found, MARK)
    if left is not None:
        api.retire(str(left["id"]))


def _workflow(node: dict[str, Any], embed: str) -> dict[str, Any]:
    """`embed` is JSON, which is JavaScript too. The first failure is the answer, so nothing is tried again."""
    posted = {key: node[key] for key in ("name", "type", "typeVersion", "parameters", "credentials", "webhookId")}
    rule = {"rule": {"interval": [{"field": "seconds", "secondsInterval": EVERY_SECONDS}]}}
    code = {"mode": "runOnceForAllItems", "language": "javaScript", "jsCode": _ONCE.replace("EMBED", embed)}
    nodes: list[dict[str, Any]] = [
        {"name": "Schedule", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "parameters": rule},
        {"name": "Once", "type": "n8n-nodes-base.code", "typeVersion": 2, "parameters": code},
        posted,
    ]
    placed = [{**one, "id": f"{MARK[:-1]}{at}", "position": [220 * at, 0]} for at, one in enumerate(nodes, start=1)]
    names = [str(one["name"]) for one in placed]
    return {
        "name": "Sentinel alert test",
        "nodes": placed,
        "connections": {
            name: {"main": [[{"node": after, "type": "main", "index": 0}]]} for name, after in zip(names, names[1:])
        },
        "settings": {"executionOrder": "v1", "saveDataSuccessExecution": "all", "saveDataErrorExecution": "all"},
    }


def _ended(api: n8n_api.Api, identity: str, seconds: float) -> dict[str, Any]:
    """How its first run ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended = [one for one in api.executions(identity) if one.get("finished") or one.get("status") == "error"]
        if ended:
            first = min(ended, key=lambda one: int(one["id"]))
            if first.get("status") == "success":
                return {"sent": True}
            return {"sent": False, "reason": api.failure(str(first["id"]))}
        time.sleep(POLL_SECONDS)
    return {"sent": False, "reason": f"n8n has run nothing within {seconds:.0f} s: look at its log"}
