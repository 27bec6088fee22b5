"""The nightly job's check of Claude's entry, which a running Claude may overwrite. A lost entry fails the step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hostctl.claude_client.check import check
from hostctl.claude_client.request import EntryRequest
from hostctl.core import requests
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.nightly.request import NightlyRequest
from hostctl.nightly.results import note

STEP = "claude"


def step(nightly: NightlyRequest) -> dict[str, Any]:
    """The finding, noted; raises Refusal when the entry is not as declared."""
    if not nightly.claude:
        return {"result": "skipped", "reason": "the job was installed without it"}
    request = requests.read(EntryRequest, Document(nightly.claude, "'claude'"))
    found = check(replace(request, docker_socket=nightly.docker_socket))
    facts = {"result": "done" if found["ok"] else "failed", "reason": found["reason"], "others": found["others"]}
    noted = note(nightly, STEP, facts, {})
    if not found["ok"]:
        raise Refusal(str(found["reason"]))
    return noted
