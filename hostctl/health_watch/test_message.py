"""`n8n send`: one test message by n8n's own schedule, Discord node and credential.

Owns: a workflow that lives for one message, with a copy of the uptime check's Discord node in it, and n8n's report of
its run. The next `send`, or `n8n remove`, clears the workflow of a killed run.
Deliberately does not: touch the uptime check, or know the webhook.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.health_watch import n8n_api
from hostctl.health_watch.n8n_mark import chained, ours, sender

EVERY_SECONDS = 5
POLL_SECONDS = 0.5
START_SECONDS = 5.0
MARK = "5e471e1a-0a7c-4d1e-9c00-0000000000a1"
_ONCE = (
    "const memory = $getWorkflowStaticData('global');\n"
    "if (memory.sent) return [];\n"
    "memory.sent = true;\n"
    "return [{ json: { embed: EMBED } }];\n"
)


@dataclass(frozen=True)
class SendRequest:
    """n8n's address and key, the mark of the uptime check, and the message: an embed of Discord's, as JSON."""

    url: str
    key: str = field(repr=False)
    mark: str
    embed: str
    limit_seconds: float = 30.0


def send(request: SendRequest) -> dict[str, Any]:
    """{"sent": true}, or {"sent": false, "reason"}; raises Refusal where n8n refuses, or has no uptime check."""
    api = n8n_api.Api(request.url, request.key, START_SECONDS)
    workflows = api.workflows()
    clear(api, workflows)
    check = ours(workflows, request.mark)
    if check is None:
        raise Refusal("n8n has no uptime check of ours: `make up` makes it")
    identity = api.make(_workflow(sender(check), request.embed))
    try:
        api.publish(identity)
        return _outcome(api, identity, request.limit_seconds)
    finally:
        api.retire(identity)


def clear(api: n8n_api.Api, workflows: list[dict[str, Any]]) -> None:
    """Remove the workflow of a killed `send`."""
    unfinished = ours(workflows, MARK)
    if unfinished is not None:
        api.retire(str(unfinished["id"]))


def _workflow(node: dict[str, Any], embed: str) -> dict[str, Any]:
    """The workflow that sends `embed`: JSON is JavaScript too. It never retries: the first failure is the outcome."""
    posted = {key: node[key] for key in ("name", "type", "typeVersion", "parameters", "credentials", "webhookId")}
    rule = {"rule": {"interval": [{"field": "seconds", "secondsInterval": EVERY_SECONDS}]}}
    code = {"mode": "runOnceForAllItems", "language": "javaScript", "jsCode": _ONCE.replace("EMBED", embed)}
    nodes: list[dict[str, Any]] = [
        {"name": "Schedule", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.2, "parameters": rule},
        {"name": "Once", "type": "n8n-nodes-base.code", "typeVersion": 2, "parameters": code},
        posted,
    ]
    return {
        "name": "Sentinel alert test",
        **chained(MARK, nodes),
        "settings": {"executionOrder": "v1", "saveDataSuccessExecution": "all", "saveDataErrorExecution": "all"},
    }


def _outcome(api: n8n_api.Api, identity: str, seconds: float) -> dict[str, Any]:
    """The outcome of the workflow's first run."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended = [run for run in api.executions(identity) if run.get("finished") or run.get("status") == "error"]
        if ended:
            first = min(ended, key=lambda run: int(run["id"]))
            if first.get("status") == "success":
                return {"sent": True}
            return {"sent": False, "reason": api.failure(str(first["id"]))}
        time.sleep(POLL_SECONDS)
    return {"sent": False, "reason": f"n8n has run nothing within {seconds:.0f} s: see its log"}
