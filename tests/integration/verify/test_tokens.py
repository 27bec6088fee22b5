"""The verification's tokens on the real bridge: the predecessor's in its grace period, after it, and one beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hostctl import grace
from tests.integration.bridge.client import token
from tests.integration.bridge.parts import Bridge, running_bridge
from tests.integration.bridge.postgres import Database
from tests.integration.bridge.predecessor_file import RECORDED, Host
from verify.claude import Entry
from verify.client import HttpEndpoint
from verify.names import Active
from verify.tokens import tokens_of

REFUSED = ["wrong", "the predecessor's", "another of the predecessor's"]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host(tmp_path_factory.mktemp("known"))


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, database: Database, host: Host) -> Generator[Bridge]:
    folder = tmp_path_factory.mktemp("bridge")
    with running_bridge(folder, [], database.url(), predecessor_folder=str(host.folder)) as started:
        yield started


def tried(bridge: Bridge, host: Host, active: Active = "sentinel", **changes: Any) -> Mapping[str, Any]:
    """The verification's part, with the host's own reading of the grace period."""
    endpoint = HttpEndpoint(bridge.url, {"Authorization": f"Bearer {token()}"})
    claude = Entry("sentinel", "http", endpoint, (f"Bearer {RECORDED}",))
    return asyncio.run(tokens_of(claude, active, changes.get("known", grace.until(str(host.folder)))))


def test_in_the_grace_period_the_recorded_token_is_accepted_and_another_one_refused(bridge: Bridge, host: Host) -> None:
    host.write()
    refused = [REFUSED[0], REFUSED[2]]
    assert tried(bridge, host) == {"ok": True, "refused": refused, "accepted": ["the predecessor's"]}


def test_after_it_every_one_is_refused(bridge: Bridge, host: Host) -> None:
    host.write(-1)
    assert tried(bridge, host) == {"ok": True, "refused": REFUSED}


def test_one_that_is_accepted_after_its_end_fails_the_verification(bridge: Bridge, host: Host) -> None:
    host.write()
    found = tried(bridge, host, known={})
    assert (found["ok"], found["detail"]) == (False, "the predecessor's token is accepted")


def test_one_that_is_refused_in_its_grace_period_fails_the_verification(bridge: Bridge, host: Host) -> None:
    host.write()
    known = grace.until(str(host.folder))
    host.put("")
    found = tried(bridge, host, known=known)
    assert (found["ok"], found["detail"]) == (False, "the predecessor's token is refused, in its grace period")


def test_at_contextforge_only_a_wrong_one_is_tried(bridge: Bridge, host: Host, tmp_path: Path) -> None:
    assert tried(bridge, host, active="contextforge") == {"ok": True, "refused": ["wrong"]}
