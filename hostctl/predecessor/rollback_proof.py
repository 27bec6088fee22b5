"""`rollback prove`: the predecessor is ready to take the port back, found out without moving anything.

possible         it is in standby, and passed the gates of a rollback just now
not-possible     something that it needs is gone, or a gate failed; the reason names it
could-not-check  nothing is known, and nothing is wrong: it serves, it is stopped, or it was withdrawn a moment ago

Owns: the verdict, by the same checks and gates as `handover rollback`. The record is the journal's, which is what the
last cutover promised to restore.
Deliberately does not: start a stopped predecessor, join a network, or wait.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from hostctl import retire
from hostctl.core import lock, requests
from hostctl.core.documents import Document, table
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import now, seconds_of
from hostctl.docker import containers
from hostctl.docker.engine import DockerError, Engine
from hostctl.handover import observed, preconditions, rollback_gates, standby
from hostctl.handover.journal import Journal
from hostctl.handover.observed import World
from hostctl.handover.readiness import RECONNECTED_SECONDS
from hostctl.handover.request import HandoverRequest, PredecessorRecord
from hostctl.predecessor import rollback_check
from hostctl.predecessor.rollback_check import RollbackCheckRequest

POSSIBLE, NOT_POSSIBLE, COULD_NOT_CHECK = "possible", "not-possible", "could-not-check"
_BUSY = "HTTP 429"


class _CouldNot(Exception):
    """Nothing is known; the sentence is no fault."""


def prove(request: HandoverRequest) -> dict[str, Any]:
    """{"result", "reason", "at", "gates"}; every fault is a verdict."""
    result, reason, passed = POSSIBLE, "", list[str]()
    try:
        passed = _passed(Engine(request.docker_socket), request, Journal(request.folder))
    except (_CouldNot, DockerError) as unknown:
        result, reason = COULD_NOT_CHECK, str(unknown)
    except Refusal as refusal:
        result, reason = NOT_POSSIBLE, str(refusal)
    return {"result": result, "reason": reason, "at": now(), "gates": passed}


def _passed(engine: Engine, request: HandoverRequest, journal: Journal) -> list[str]:
    """The names of the gates that it passed; raises Refusal, _CouldNot or DockerError."""
    state = journal.state()
    request = replace(request, predecessor=_recorded(request, journal, state))
    world = observed.read(engine, request)
    rollback_check.check(RollbackCheckRequest((), request.predecessor, docker_socket=request.docker_socket))
    preconditions.can_roll_back(engine, world, request)
    standby.members_of(request, containers.everything(engine))
    predecessor = world.predecessor
    assert predecessor is not None
    if predecessor.publishes(request.port):
        raise _CouldNot(f"{predecessor.name} serves")
    if not predecessor.running:
        raise _CouldNot(f"{predecessor.name} is stopped: a rollback starts it in standby first, while Sentinel serves")
    gates = rollback_gates.results(standby.place(predecessor, request), request.gates)
    failed = [f"{gate.name}: {gate.reason}" for gate in gates if gate.reason]
    if failed and any(_BUSY in reason for reason in failed):
        raise _CouldNot(f"{predecessor.name} takes no more requests in this minute ({_BUSY})")
    if failed and time.time() < seconds_of(str(state["at"])) + RECONNECTED_SECONDS:
        raise _CouldNot(
            f"{predecessor.name} was withdrawn at {state['at']} and may need a minute to connect again "
            f"({'; '.join(failed)})"
        )
    if failed:
        raise Refusal(
            f"{predecessor.name} in standby fails its gates ({'; '.join([*failed, *_stopped(request, world)])})"
        )
    return [gate.name for gate in gates]


def _stopped(request: HandoverRequest, world: World) -> list[str]:
    """The containers that ran with the predecessor and do not now."""
    ran = {sibling.name for sibling in request.predecessor.siblings if sibling.running}
    return [f"{sibling.name} is stopped" for sibling in world.siblings if sibling.name in ran and not sibling.running]


def _recorded(request: HandoverRequest, journal: Journal, state: dict[str, Any]) -> PredecessorRecord:
    """The record of the last cutover; raises _CouldNot where a rollback has no meaning, or a handover is at work."""
    busy, unfinished = lock.owner(request.folder), journal.unfinished()
    if busy:
        raise _CouldNot(f"{busy['reason']} is at work since {busy['since']}")
    if unfinished:
        raise _CouldNot(f"a handover of {unfinished.opening['at']} was interrupted: finish it with 'make up'")
    if not state:
        raise _CouldNot("there has been no cutover yet")
    retired = retire.recorded(os.path.dirname(request.folder)).get("begun_at")
    if retired:
        raise _CouldNot(f"ContextForge was retired at {retired}")
    document = Document(table(state.get("predecessor")), journal.state_path)
    record = requests.read(PredecessorRecord, document)
    if record.server is None:
        raise _CouldNot("no gateway ran before Sentinel")
    return record
