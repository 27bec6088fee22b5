"""`token renew`: every token that the program made on this host, renewed before too little of its life is left.

Owns: going through what was kept of each (`token write`'s "asked_file"), Claude's literal header, which must follow a
new token, and the night's step, which tells Prometheus when Claude's ends. The old token stays good until its own end,
so a session that has it loses nothing.
Deliberately does not: make a token where there is none, or touch one that is not Sentinel's: after the rollback the
file is ContextForge's own again.
"""

from __future__ import annotations

import os
from typing import Any

from hostctl import claude_client, tokens
from hostctl.core.documents import Document, parsed, table
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import seconds_of
from hostctl.nightly import results
from hostctl.nightly.request import NightlyRequest

STEP = "token"
CLAUDES = "claude"
"""The name under which the program keeps what it asked for Claude's token."""


def step(request: NightlyRequest) -> dict[str, Any]:
    """The night's: every token of the folder `tokens`. A token that could not be renewed is told with its own end."""
    folder = Document({"folder": request.tokens})
    try:
        facts: dict[str, Any] = {"result": "done", "reason": "", **renew(folder)}
    except Refusal as refusal:
        results.note(request, STEP, {"result": "failed", "reason": str(refusal)}, _end_of_claudes(folder))
        raise
    return results.note(request, STEP, facts, _end_of_claudes(folder))


def renew(document: Document) -> dict[str, Any]:
    """{"tokens": [{"name", "path", "renewed", "expires_at", "days_left", "reason"}]}, in the order of their names.

    Raises Refusal with the first one's reason when one could not be renewed; the others are renewed all the same.
    """
    folder = document.text("folder")
    told: list[dict[str, Any]] = []
    failed: list[str] = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if not name.endswith(".json"):
            continue
        try:
            told.append({"name": name[: -len(".json")], **_renewed(os.path.join(folder, name))})
        except Refusal as refusal:
            failed.append(str(refusal))
    if failed:
        raise Refusal("; ".join(failed))
    return {"tokens": told}


def _end_of_claudes(folder: Document) -> dict[str, float]:
    """The metric of the token that is there now; none where Claude has none of Sentinel's."""
    path = os.path.join(folder.text("folder"), f"{CLAUDES}.json")
    if not os.path.exists(path):
        return {}
    expires = tokens.life(_asked(path))["expires_at"]
    return {"sentinel_token_expires_timestamp_seconds": seconds_of(expires)} if expires else {}


def _renewed(asked_file: str) -> dict[str, Any]:
    asked = _asked(asked_file)
    path = asked.text("path")
    before = tokens.life(asked)
    if not tokens.is_ours(asked):
        return {
            "path": path,
            "renewed": False,
            **before,
            "reason": "it holds no token of Sentinel: `make up` writes it",
        }
    written = tokens.write(asked)
    entry = table(asked.optional("entry"))
    if entry and not written["kept"]:
        claude_client.apply(Document(entry))
    reason = "life enough is left" if written["kept"] else "renewed; the old one is good until its own end"
    return {"path": path, "renewed": not written["kept"], **tokens.life(asked), "reason": reason}


def _asked(path: str) -> Document:
    with open(path, encoding="utf-8") as file:
        values = parsed(file.read())
    if values is None:
        raise Refusal(f"{path} is no JSON object: remove it, then run 'make up'")
    return Document(values, path)
