"""`n8n apply` and `n8n remove`: one workflow of ours in the operator's n8n, and the credential that holds its webhook.

Owns: finding the workflow again by the id of its first node, which survives another name and another place; making it,
changing it in place, publishing it, taking it away, all by n8n's public API (`n8n_api.py`).

Deliberately does not: touch another workflow or credential, know what the workflow does, or hold up the rollback: an
n8n that cannot be asked to forget it is told in one line, and the gateway goes back all the same.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from hostctl.core.documents import Document, rows, table
from hostctl.core.errors import Refusal
from hostctl.health_watch import n8n_api, test_message
from hostctl.health_watch.n8n_mark import CREDENTIAL, mark, ours, sender


def apply(document: Document) -> dict[str, Any]:
    """{"workflow", "did"}: the workflow as asked, published; raises Refusal when n8n cannot be asked.

    The credential's name holds eight digits of the webhook's hash, since n8n gives no secret back to compare.
    """
    wanted, webhook = document.object("workflow").values, _secret(document, "webhook_file")
    api = _api(document, document.seconds("limit_seconds", 60))
    found = ours(api.workflows(), mark(wanted))
    held = table(sender(found).get("credentials")).get(CREDENTIAL) if found else None
    credential, did = table(held), list[str]()
    name = f"{wanted['name']} {hashlib.sha256(webhook.encode()).hexdigest()[:8]}"
    former = ""
    if credential.get("name") != name or not credential.get("id"):
        former = str(credential.get("id") or "")
        credential = {"id": api.make_credential(name, {"webhookUri": webhook}), "name": name}
        did.append("credential")
    complete = _with_credential(wanted, {"id": credential["id"], "name": name})
    if found is None:
        identity = api.make(complete)
        did.append("made")
    else:
        identity = str(found["id"])
        if not _contains(found, complete):
            api.change(identity, complete)
            did.append("changed")
    if found is None or did or not found.get("active"):
        api.publish(identity)
        did.append("published")
    if former and former != credential["id"]:
        api.forget_credential(former)
    return {"workflow": identity, "did": did}


def remove(document: Document) -> dict[str, Any]:
    """{"removed", "reason"}: n8n no longer runs it. Where that cannot be had, why, on stderr too, and no error."""
    try:
        api = _api(document, document.seconds("removal_seconds", 5))
        workflows = api.workflows()
        test_message.clear(api, workflows)
        found = ours(workflows, mark(document.object("workflow").values))
        if found is None:
            return {"removed": False, "reason": "n8n has no such workflow"}
        api.retire(str(found["id"]))
        credential = table(table(sender(found).get("credentials")).get(CREDENTIAL)).get("id")
        if credential:
            api.forget_credential(str(credential))
    except (Refusal, OSError) as error:
        print(f"the watch may still run in n8n, and alarm there: switch it off by hand ({error})", file=sys.stderr)
        return {"removed": False, "reason": str(error)}
    return {"removed": True, "reason": "removed"}


def _api(document: Document, seconds: float) -> n8n_api.Api:
    return n8n_api.Api(document.text("url"), _secret(document, "key_file"), seconds)


def _secret(document: Document, key: str) -> str:
    path = document.text(key)
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): `make up` writes it") from None


def _with_credential(workflow: dict[str, Any], credential: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(workflow))
    sender(copy)["credentials"] = {CREDENTIAL: credential}
    return copy


def _contains(found: Any, wanted: Any) -> bool:
    """Whether `found` is `wanted`, apart from keys that n8n adds."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            _contains(table(found).get(key), value) for key, value in table(wanted).items()
        )
    if isinstance(wanted, list):
        theirs, ours = rows(found), rows(wanted)
        return len(theirs) == len(ours) and all(map(_contains, theirs, ours))
    return bool(found == wanted)
