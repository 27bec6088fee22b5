"""The proof that a rollback is possible, made on the stack's host (`hostctl/predecessor/rollback_proof.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.base.handover_members import handover_members
from hostctl.predecessor.rollback_proof import COULD_NOT_CHECK, NOT_POSSIBLE, POSSIBLE
from ops.engine import host
from settings import Settings

_OK = {POSSIBLE: True, NOT_POSSIBLE: False, COULD_NOT_CHECK: None}


def prove(stack: str, settings: Settings) -> dict[str, Any]:
    """{"ok", "reason", "at", "gates"}; "ok" is null where nothing is known."""
    if settings.predecessor.kind == "absent":
        return {"ok": None, "reason": "no gateway ran before Sentinel", "at": None, "gates": []}
    proof = host.run(stack, settings, "rollback", "prove", handover_members(settings))
    return {"ok": _OK[proof["result"]], **{key: proof[key] for key in ("reason", "at", "gates")}}


def sentence(proof: Mapping[str, Any]) -> str:
    """The verdict for a person, such as "possible, proven 03:17 UTC"."""
    if proof["ok"]:
        return f"possible, proven {proof['at'][11:16]} UTC"
    return f"{'not checked' if proof['ok'] is None else 'not possible'}: {proof['reason']}"
