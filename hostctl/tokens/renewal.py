"""`token renew`: every token that the program made on this host, renewed before too little of its life is left.

The old token stays good until it expires, so a session that has it loses nothing.

Owns: the kept request of each token (`token write`'s `request_file`).
Deliberately does not: make a token where there is none, or touch one that is not Sentinel's: after the rollback the
file is ContextForge's own again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from hostctl import tokens
from hostctl.core import json_file, requests
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.tokens import CLAUDE, FileRequest, TokenRequest


@dataclass(frozen=True)
class RenewRequest:
    """The folder of the kept requests."""

    folder: str


def renew(request: RenewRequest) -> dict[str, Any]:
    """{"tokens": [{"name", "path", "renewed", "expires_at", "days_left", "reason"}]}, in order of their names.

    Raises Refusal with the first one's reason when one could not be renewed; the others are renewed all the same.
    """
    folder = request.folder
    renewed: list[dict[str, Any]] = []
    failed: list[str] = []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if not name.endswith(".json"):
            continue
        try:
            renewed.append({"name": name[: -len(".json")], **_renewed(os.path.join(folder, name))})
        except Refusal as refusal:
            failed.append(str(refusal))
    if failed:
        raise Refusal("; ".join(failed))
    return {"tokens": renewed}


def expiry_of_claudes(request: RenewRequest) -> str:
    """The expiry of Claude's token, empty where Claude has none of Sentinel's."""
    path = os.path.join(request.folder, f"{CLAUDE}.json")
    return str(tokens.life(FileRequest(_kept(path).path))["expires_at"] or "") if os.path.exists(path) else ""


def _renewed(request_file: str) -> dict[str, Any]:
    request = _kept(request_file)
    file = FileRequest(request.path)
    if not tokens.is_ours(request):
        reason = "it does not hold a Sentinel token: `make up` writes it"
        return {"path": request.path, "renewed": False, **tokens.life(file), "reason": reason}
    written = tokens.write(request)
    reason = "enough of its life is left" if written["kept"] else "renewed; the old one stays valid until it expires"
    return {"path": request.path, "renewed": not written["kept"], **tokens.life(file), "reason": reason}


def _kept(path: str) -> TokenRequest:
    values = json_file.read(path, "remove it, then run 'make up'")
    return requests.read(TokenRequest, Document(values or {}, path))
