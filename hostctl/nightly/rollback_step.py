"""The nightly job's proof of the rollback, and its metric.

A rollback that is not possible fails the step. Where nothing is known the metric is left out, and the alert is silent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hostctl.core import requests
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.handover.request import HandoverRequest
from hostctl.nightly.request import NightlyRequest
from hostctl.nightly.results import note
from hostctl.predecessor import rollback_proof
from hostctl.predecessor.rollback_proof import COULD_NOT_CHECK, NOT_POSSIBLE, POSSIBLE

STEP = "rollback"
METRIC = "sentinel_rollback_possible"


def step(request: NightlyRequest) -> dict[str, Any]:
    """The verdict, noted; raises Refusal when a rollback is not possible."""
    proof = _proof(request)
    known = proof["result"] != COULD_NOT_CHECK
    note(request, STEP, proof, {METRIC: float(proof["result"] == POSSIBLE)} if known else {})
    if proof["result"] == NOT_POSSIBLE:
        raise Refusal(f"a rollback is not possible: {proof['reason']}")
    return proof if known else {"result": "skipped", "reason": proof["reason"]}


def _proof(request: NightlyRequest) -> dict[str, Any]:
    if not request.rollback:
        return {"result": COULD_NOT_CHECK, "reason": "no gateway ran before Sentinel", "gates": []}
    handover = requests.read(HandoverRequest, Document(request.rollback, "'rollback'"))
    return rollback_proof.prove(replace(handover, docker_socket=request.docker_socket))
