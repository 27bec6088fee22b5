"""Every document that the program registers is accepted by the reader of the verb that gets it, whole."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

import pytest

from hostctl.__main__ import VERBS, function
from hostctl.core import requests
from hostctl.core.documents import Document
from tests.unit.components.registration import Registered, register

PROGRAMS: dict[str, dict[str, Any]] = {
    "cut over": {"health_token": "health-" + "h" * 40},
    "staged": {"active": "contextforge"},
    "without a predecessor": {"predecessor.kind": "absent"},
    "native": {"sentinel.serve": "native"},
    "from sources": {"sentinel.context": "/srv/sentinel"},
    "live settings": {"sentinel.kill_switch": json.dumps({"disabled_tools": ["write_query"]})},
}
"""Configurations that together register every action of the program."""


@dataclass(frozen=True)
class Sent:
    """A document and one verb that gets it: at the create, an update or the delete of a resource."""

    resource: str
    verb: tuple[str, str]
    document: dict[str, Any]


def sent(resources: list[Registered]) -> list[Sent]:
    """The documents that the resources' actions send to the host."""
    found: list[Sent] = []
    for one in resources:
        lines = {str(one.inputs.get(word) or "") for word in ("create", "update", "delete")}
        verbs = {tuple(words[-2:]) for words in map(shlex.split, lines) if "hostctl.pyz" in " ".join(words[-3:-2])}
        for verb, action in verbs:
            stdin: Any = one.inputs["stdin"]
            # A secret has its mark around it.
            document = json.loads(stdin if isinstance(stdin, str) else stdin["value"])
            found.append(Sent(one.name, (verb, action), document))
    return found


@pytest.fixture(scope="module", params=PROGRAMS.values(), ids=list(PROGRAMS))
def documents(request: pytest.FixtureRequest) -> list[Sent]:
    program = register(request.param)
    return sent([one for one in program.resources.values() if one.type.startswith("command:")])


def test_each_is_read_and_written_again_without_a_loss(documents: list[Sent]) -> None:
    assert len(documents) > 20
    for one in documents:
        kind = requests.kind_of(function(VERBS[one.verb]))
        read = requests.write(requests.read(kind, Document(one.document)))
        sent = dict(one.document)
        if one.verb == ("files", "remove"):
            # The contents, which may be secrets, are not read to remove a file.
            sent["files"] = [{"name": file["name"]} for file in sent.get("files", [])]
        changed = {key: value for key, value in read.items() if key in one.document and sent[key] != value}
        assert not changed, f"{' '.join(one.verb)} of {one.resource} reads otherwise: {sorted(changed)}"


def test_the_verb_that_creates_knows_every_member(documents: list[Sent]) -> None:
    known: dict[str, set[str]] = {}
    for one in documents:
        members = requests.write(requests.read(requests.kind_of(function(VERBS[one.verb])), Document(one.document)))
        known[one.resource] = known.get(one.resource, {"docker_socket"}) | set(members)
    for one in documents:
        unread = set(one.document) - known[one.resource]
        assert not unread, f"no verb of {one.resource} reads {sorted(unread)}"
