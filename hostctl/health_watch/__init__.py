"""`n8n apply` and `n8n remove`: one workflow of ours in the operator's n8n, and the credential that holds its webhook.

The workflow is found again by the id of its first node, which survives a new name and a new place.
Deliberately does not: touch another workflow or credential, know the workflow's purpose, or wait long for n8n on a
rollback, of which no delete can stop the run (`hostctl/core/unfinished.py`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from hostctl.core import secret_file
from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.health_watch import n8n_api, test_message
from hostctl.health_watch.n8n_mark import CREDENTIAL, mark, ours, sender


@dataclass(frozen=True)
class WorkflowRequest:
    """n8n's address, the files of its key and of the webhook, and the workflow as n8n's API takes it."""

    url: str
    key_file: str
    webhook_file: str
    workflow: dict[str, Any]
    limit_seconds: float = 60.0
    removal_seconds: float = 5.0


def apply(request: WorkflowRequest) -> dict[str, Any]:
    """{"workflow", "did"}: the workflow as declared, published; raises Refusal when n8n does not do it.

    The credential's name holds eight digits of the webhook's hash, since n8n gives no secret back to compare.
    """
    declared, webhook = request.workflow, secret_file.read(request.webhook_file)
    api = _api(request, request.limit_seconds)
    present = ours(api.workflows(), mark(declared))
    held = table(sender(present).get("credentials")).get(CREDENTIAL) if present else None
    credential, did = table(held), list[str]()
    name = f"{declared['name']} {hashlib.sha256(webhook.encode()).hexdigest()[:8]}"
    former = ""
    if credential.get("name") != name or not credential.get("id"):
        former = str(credential.get("id") or "")
        credential = {"id": api.make_credential(name, {"webhookUri": webhook}), "name": name}
        did.append("credential")
    complete = _with_credential(declared, {"id": credential["id"], "name": name})
    if present is None:
        identity = api.make(complete)
        did.append("made")
    else:
        identity = str(present["id"])
        if not _contains(present, complete):
            api.change(identity, complete)
            did.append("changed")
    if present is None or did or not present.get("active"):
        api.publish(identity)
        did.append("published")
    if former and former != credential["id"]:
        api.forget_credential(former)
    return {"workflow": identity, "did": did}


def remove(request: WorkflowRequest) -> dict[str, Any]:
    """{"removed", "reason"}: n8n no longer runs it; raises Refusal where it may."""
    try:
        api = _api(request, request.removal_seconds)
        workflows = api.workflows()
        test_message.clear(api, workflows)
        present = ours(workflows, mark(request.workflow))
        if present is None:
            return {"removed": False, "reason": "n8n has no such workflow"}
        api.retire(str(present["id"]))
        credential = table(table(sender(present).get("credentials")).get(CREDENTIAL)).get("id")
        if credential:
            api.forget_credential(str(credential))
    except (Refusal, OSError) as error:
        raise Refusal(f"{error}; until it is removed it may raise alarms: switch it off in n8n by hand") from None
    return {"removed": True, "reason": "removed"}


def _api(request: WorkflowRequest, seconds: float) -> n8n_api.Api:
    return n8n_api.Api(request.url, secret_file.read(request.key_file), seconds)


def _with_credential(workflow: dict[str, Any], credential: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(workflow))
    sender(copy)["credentials"] = {CREDENTIAL: credential}
    return copy


def _contains(present: Any, declared: Any) -> bool:
    """True where both are the same, apart from keys that n8n adds."""
    if isinstance(declared, dict):
        return isinstance(present, dict) and all(
            _contains(table(present).get(key), value) for key, value in table(declared).items()
        )
    if isinstance(declared, list):
        theirs, ours = rows(present), rows(declared)
        return len(theirs) == len(ours) and all(map(_contains, theirs, ours))
    return bool(present == declared)
