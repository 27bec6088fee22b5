"""`handover back`, by hand on the host: the rollback from the journal alone, for the day when no state is at hand.

It needs no document: the last cutover's request is in the journal beside this program, and the place of Claude's entry
in its record. `handover back force` goes past a gate that the predecessor fails, and is recorded as such.
Deliberately does not: take anything of Sentinel's down; the next run with a state does.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from hostctl import claude_client
from hostctl.claude_client.record import RECORD
from hostctl.claude_client.request import Place
from hostctl.core import json_file, requests
from hostctl.core.documents import Document, table
from hostctl.core.errors import Refusal, sentence_of
from hostctl.docker.engine import Engine
from hostctl.handover import report
from hostctl.handover.journal import Journal
from hostctl.handover.request import HandoverRequest
from hostctl.host.port_holder import SENTINEL


def request_from(product: str) -> HandoverRequest:
    """The last cutover's request, for the gateway of ours that serves now; raises Refusal without a journal."""
    journal = Journal(os.path.join(product, "handover"))
    unfinished = journal.unfinished()
    openings = [unfinished.opening] if unfinished else []
    openings += [lines[0] for _, lines in journal.finished()]
    stored = next((table(one.get("request")) for one in openings if one.get("verb") == "cutover"), None)
    if stored is None:
        raise Refusal(
            f"{journal.folder} has no cutover to take back: run the hostctl.pyz in the product's folder on the host"
        )
    request = requests.read(HandoverRequest, Document(stored, journal.path))
    serving = report.status(Engine(request.docker_socket), request, journal)
    holder = serving["holder"] if serving["active"] == SENTINEL else None
    return replace(request, container=holder["id"] if holder else request.container)


def product_folder() -> str:
    """The folder of the program that runs."""
    return os.path.dirname(os.path.abspath(sys.argv[0]))


def claude_restored(product: str) -> str:
    """One sentence on Claude's entry, put back as its record has it; a failure does not undo the rollback."""
    folder = os.path.join(product, "claude")
    try:
        recorded = json_file.read(os.path.join(folder, RECORD))
        if not recorded:
            return "Claude's entry was never changed"
        token = table(json_file.read(os.path.join(product, "tokens", "handover.json")))
        members = {**table(recorded.get("identity")), "folder": folder, "issuer": token.get("issuer", "")}
        answer = claude_client.restore(requests.read(Place, Document(members, os.path.join(folder, RECORD))))
        return f"Claude's entry: {answer.get('reason') or 'put back'}"
    except (Refusal, OSError) as error:
        return f"Claude's entry could not be put back: {sentence_of(error)}"
