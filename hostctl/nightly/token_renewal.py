"""The nightly job's step that renews tokens, and reports to Prometheus when Claude's expires."""

from __future__ import annotations

from typing import Any

from hostctl.core.errors import Refusal
from hostctl.core.timestamps import seconds_of
from hostctl.nightly import results
from hostctl.nightly.request import NightlyRequest
from hostctl.tokens import renewal
from hostctl.tokens.renewal import RenewRequest

STEP = "token"


def step(nightly: NightlyRequest) -> dict[str, Any]:
    """Renew every token of the folder `tokens`; a failed renewal is reported with the token's expiry."""
    request = RenewRequest(nightly.tokens)
    try:
        facts: dict[str, Any] = {"result": "done", "reason": "", **renewal.renew(request)}
    except Refusal as refusal:
        results.note(nightly, STEP, {"result": "failed", "reason": str(refusal)}, _metrics(request))
        raise
    return results.note(nightly, STEP, facts, _metrics(request))


def _metrics(request: RenewRequest) -> dict[str, float]:
    expires = renewal.expiry_of_claudes(request)
    return {"sentinel_token_expires_timestamp_seconds": seconds_of(expires)} if expires else {}
