"""Requests: what a component writes is what the verb reads, and a wrong one is refused in one sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from hostctl.core import requests
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.core.requests import FileMode

MODE = FileMode(0o640)


@dataclass(frozen=True)
class Probe:
    path: str
    seconds: float = 2.5


@dataclass(frozen=True)
class Request:
    folder: str
    port: int
    probe: Probe
    enabled: bool = True
    mode: FileMode = MODE
    names: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    probes: tuple[Probe, ...] = ()
    further: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        if not self.folder.startswith("/"):
            raise Refusal("'folder' is a relative path: give an absolute one")


WHOLE: dict[str, Any] = {
    "folder": "/srv",
    "port": 9200,
    "probe": {"path": "/mcp", "seconds": 1.0},
    "enabled": False,
    "mode": "0600",
    "names": ["a", "b"],
    "ports": [1, 2],
    "probes": [{"path": "/one", "seconds": 2.5}],
    "further": {"any": [1]},
}


def test_what_is_written_is_what_was_read() -> None:
    read = requests.read(Request, Document(WHOLE))
    assert (read.mode, read.probes, read.enabled) == (0o600, (Probe("/one", 2.5),), False)
    assert requests.write(read) == WHOLE


def test_an_absent_member_has_its_default() -> None:
    read = requests.read(Request, Document({"folder": "/srv", "port": 1, "probe": {"path": "/"}}))
    assert read == Request("/srv", 1, Probe("/"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"port": None}, "'port' is missing in the document on stdin: give a whole number"),
        ({"port": True}, "'port' in the document on stdin must be a whole number"),
        ({"probe": {}}, "'path' is missing in 'probe': give a text"),
        ({"probe": {"path": "/", "seconds": -1}}, "'seconds' in 'probe' is not a usable number of seconds"),
        ({"enabled": 1}, "'enabled' in the document on stdin must be true or false"),
        ({"mode": "9"}, "'mode' in the document on stdin is not a file mode"),
        ({"names": ["a", 1]}, "'names' in the document on stdin must be a list of texts"),
        ({"ports": [True]}, "'ports' in the document on stdin must be a list of whole numbers"),
        ({"probes": [1]}, "'probes[0]' in the document on stdin must be an object"),
        ({"folder": "srv"}, "'folder' is a relative path: give an absolute one"),
    ],
)
def test_a_wrong_member_is_refused_by_name(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refusal) as refused:
        requests.read(Request, Document({**WHOLE, **change}))
    assert str(refused.value).startswith(sentence)


def test_the_kind_of_a_verb_is_its_only_argument() -> None:
    def by_request(request: Request) -> dict[str, Any]:
        return requests.write(request)

    assert requests.kind_of(by_request) is Request
