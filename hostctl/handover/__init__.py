"""`handover take | give | status | rest | points`: one port, from one gateway to another, without a gap.

Owns: the verbs, their lock, and that a signal does not stop one half-way.
Deliberately does not: decide (plans) or act (moves).
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from hostctl.core import lock
from hostctl.core.documents import Document
from hostctl.docker.engine import Engine
from hostctl.handover import procedure, report, scenarios
from hostctl.handover.journal import Journal
from hostctl.handover.request import Request

_DEFERRED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def cutover(document: Document) -> dict[str, Any]:
    """The port goes to the request's container; raises Refusal when not, and then the previous one serves again."""
    request = Request.read(document)
    with _alone(request, "handover cutover"):
        return _told(procedure.cutover(Engine(request.docker_socket), request, Journal(request.folder)))


def rollback(document: Document) -> dict[str, Any]:
    """The port goes back to the predecessor; nothing is done when the request's container is not the holder."""
    request = Request.read(document)
    with _alone(request, "handover rollback"):
        return _told(procedure.rollback(Engine(request.docker_socket), request, Journal(request.folder)))


def stop_predecessor(document: Document) -> dict[str, Any]:
    """A paused predecessor becomes a stopped one; its database and other containers go on."""
    request = Request.read(document)
    with _alone(request, "handover stop-predecessor"):
        return procedure.stop_predecessor(Engine(request.docker_socket), request, Journal(request.folder))


def status(document: Document) -> dict[str, Any]:
    """Who serves, what the predecessor is, and what a killed run left behind; changes nothing and takes no lock."""
    request = Request.read(document)
    return report.status(Engine(request.docker_socket), request, Journal(request.folder))


def points() -> dict[str, Any]:
    """Every point of the journal, taken from the plans themselves."""
    return scenarios.points()


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    """Says on stderr, which the engine shows, how long nobody answered: of a delete it shows nothing else."""
    if answer.get("changed") and "downtime_ms" in answer:
        parts = ", ".join(f"{name[:-3]} {value}" for name, value in answer["parts"].items())
        line = f"{answer['from']} -> {answer['to']}: nobody answered for {answer['downtime_ms']} ms ({parts})"
        print(line, file=sys.stderr, flush=True)
    return answer


@contextmanager
def _alone(request: Request, reason: str) -> Generator[None]:
    # The undo belongs to the same call: a Ctrl-C or a closed terminal waits for its end, which limits bound.
    with lock.held(request.folder, reason):
        previous = {number: signal.signal(number, signal.SIG_IGN) for number in _DEFERRED}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
