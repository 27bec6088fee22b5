"""The proof of a rollback where nothing of ContextForge has to be read: nothing is known, and the reason is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hostctl.core import requests
from hostctl.core.lock import held
from hostctl.handover.request import HandoverRequest, PredecessorRecord
from hostctl.handover.scenarios import REQUEST
from hostctl.predecessor import rollback_proof


@pytest.fixture
def request_(tmp_path: Path) -> HandoverRequest:
    """After a cutover from ContextForge; Docker does not answer there."""
    request = replace(REQUEST, folder=str(tmp_path / "handover"), docker_socket="/nowhere.sock")
    write_state(request, request.predecessor)
    return request


def write_state(request: HandoverRequest, predecessor: PredecessorRecord) -> None:
    state = {"at": "2026-01-01T00:00:00.000Z", "predecessor": requests.write(predecessor)}
    folder = Path(request.folder)
    folder.mkdir(exist_ok=True)
    (folder / "state.json").write_text(json.dumps(state))


def reason(request: HandoverRequest) -> str:
    """The reason why nothing is known."""
    proof: dict[str, Any] = rollback_proof.prove(request)
    assert (proof["result"], proof["gates"]) == ("could-not-check", [])
    return proof["reason"]


def test_before_the_first_cutover_there_is_nothing_to_prove(request_: HandoverRequest) -> None:
    (Path(request_.folder) / "state.json").unlink()
    assert reason(request_) == "there has been no cutover yet"


def test_where_no_gateway_ran_before_there_is_none_to_return_to(request_: HandoverRequest) -> None:
    write_state(request_, PredecessorRecord())
    assert reason(request_) == "no gateway ran before Sentinel"


def test_a_handover_at_work_or_interrupted_is_named(request_: HandoverRequest) -> None:
    with held(request_.folder, "handover rollback"):
        assert reason(request_).startswith("handover rollback is at work since ")
    opening = {"verb": "rollback", "point": "rollback.begin", "at": "2026-01-02T03:04:05.678Z"}
    (Path(request_.folder) / "in-progress.jsonl").write_text(json.dumps(opening) + "\n")
    assert reason(request_) == "a handover of 2026-01-02T03:04:05.678Z was interrupted: finish it with 'make up'"


def test_a_retired_contextforge_is_no_failure(request_: HandoverRequest) -> None:
    record = Path(request_.folder).parent / "retired" / "retirement.json"
    record.parent.mkdir()
    record.write_text(json.dumps({"begun_at": "2026-01-02"}))
    assert reason(request_) == "ContextForge was retired at 2026-01-02"


def test_a_docker_that_does_not_answer_says_nothing_of_the_rollback(request_: HandoverRequest) -> None:
    assert "the Docker engine at /nowhere.sock did not answer" in reason(request_)
