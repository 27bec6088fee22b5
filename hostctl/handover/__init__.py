"""`handover cutover | rollback | back | status | stop-predecessor | recover | points`: one port, between two gateways.

Each verb that changes something holds the folder's lock, and a signal does not stop it half-way.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hostctl.core import lock, requests
from hostctl.core.documents import Document
from hostctl.docker.engine import Engine
from hostctl.handover import back as by_journal
from hostctl.handover import report, scenarios
from hostctl.handover.journal import Journal
from hostctl.handover.procedure import Handover
from hostctl.handover.request import HandoverRequest, RecoverRequest

_DEFERRED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def cutover(request: HandoverRequest) -> dict[str, Any]:
    """Give the port to the request's container; raises Refusal, and then the previous holder serves again."""
    with _exclusive(request, "handover cutover") as handover:
        return _reported(handover.cutover())


def rollback(request: HandoverRequest) -> dict[str, Any]:
    """Give the port back to the predecessor; a no-op where the request's container is not the holder."""
    with _exclusive(request, "handover rollback") as handover:
        return _reported(handover.rollback())


def stop_predecessor(request: HandoverRequest) -> dict[str, Any]:
    """Stop a predecessor in standby; its database and other containers keep running."""
    with _exclusive(request, "handover stop-predecessor") as handover:
        return handover.stop_predecessor()


def recover(request: RecoverRequest) -> dict[str, Any]:
    """End what a killed run or a power cut left in progress, as after a boot; raises Refusal where nobody serves then.

    The journal's goal serves where it was reached already, else the gateway that served before.
    """
    journal = Journal(request.folder)
    entry = journal.unfinished()
    if entry is None:
        return {"recovered": "", "active": journal.state().get("active", "")}
    stored = requests.read(HandoverRequest, Document(entry.opening["request"], journal.path))
    stored = replace(stored, docker_socket=request.docker_socket)
    with _exclusive(stored, "handover recover") as handover:
        handover.recover("recover")
    return {"recovered": entry.opening["verb"], "active": status(stored)["active"]}


def back(force: bool = False) -> dict[str, Any]:
    """Give the port back to the predecessor by the journal beside this program, and Claude its former entry."""
    product = by_journal.product_folder()
    request = replace(by_journal.request_from(product), force=force)
    return {**rollback(request), "claude": by_journal.claude_restored(product)}


def back_by_force() -> dict[str, Any]:
    """The same, past a gate that the predecessor fails."""
    return back(force=True)


def status(request: HandoverRequest) -> dict[str, Any]:
    """The port's holder, both gateways and an unfinished handover; changes nothing and takes no lock."""
    return report.status(Engine(request.docker_socket), request, Journal(request.folder))


def points() -> dict[str, Any]:
    """Every point of the journal, taken from the plans themselves."""
    return scenarios.points()


def _reported(result: dict[str, Any]) -> dict[str, Any]:
    # On stderr, since the engine shows nothing else of a delete.
    if result.get("changed") and "downtime_ms" in result:
        parts = ", ".join(f"{name[:-3]} {value}" for name, value in result["parts"].items())
        line = f"{result['from']} -> {result['to']}: downtime {result['downtime_ms']} ms ({parts})"
        print(line, file=sys.stderr, flush=True)
    return result


@contextmanager
def _exclusive(request: HandoverRequest, reason: str) -> Generator[Handover]:
    # The undo belongs to the same call: a Ctrl-C or a closed terminal waits for its end, which limits bound.
    with lock.held(request.folder, reason):
        previous = {number: signal.signal(number, signal.SIG_IGN) for number in _DEFERRED}
        try:
            yield Handover(Engine(request.docker_socket), request, Journal(request.folder))
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
