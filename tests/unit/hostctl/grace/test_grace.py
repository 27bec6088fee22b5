"""The grace period in its file: begun by a handover, never by a container, and ended for good by its operator."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest

from hostctl import baseline, claude_client, grace
from hostctl.claude_client.request import Place
from hostctl.grace import GraceRequest
from hostctl.grace.use import UseRequest, show

HOUR = 3600
SECRET = "s" * 40


def signed(**claims: Any) -> str:
    return jwt.encode({"iss": "mcpgateway", "sub": "admin@example.com", **claims}, SECRET, algorithm="HS256")


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class World:
    """Claude's file with one entry, its record, the baseline, and the grace period's folder."""

    def __init__(self, folder: Path) -> None:
        self._home = folder
        self._place = Place(
            file=str(folder / ".claude.json"),
            entry="sentinel",
            replaces="contextforge",
            token_file=str(folder / ".mcp-token"),
            folder=str(folder / "claude"),
        )
        keep = baseline.KeepRequest(str(folder / "baseline"), {"tools": [{"name": "sqlite-list-tables"}]})
        baseline.keep(keep)
        self.request = GraceRequest(
            str(folder / "grace"), os.getuid(), 72, "sentinel-gateway", str(folder / "claude"), str(folder / "baseline")
        )

    def claude_has(self, token: str, scheme: str = "Bearer") -> None:
        headers = {"Authorization": f"{scheme} {token}"}
        entry = {"type": "http", "url": "http://127.0.0.1:9200/mcp", "headers": headers}
        (self._home / ".claude.json").write_text(json.dumps({"mcpServers": {"contextforge": entry}}))

    def recorded(self, token: str) -> None:
        self.claude_has(token)
        claude_client.record(self._place)

    @property
    def file(self) -> Path:
        return Path(self.request.folder) / grace.FILE

    @property
    def ends(self) -> dict[str, float]:
        return grace.until(self.request.folder)


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    grace.prepare(made.request)
    return made


def test_before_the_cutover_no_token_is_honoured_and_the_names_are_known(world: World) -> None:
    assert json.loads(world.file.read_text()) == {"tokens": [], "names": ["sqlite-list-tables"]}
    assert (world.file.stat().st_mode & 0o777, Path(world.request.folder).stat().st_mode & 0o777) == (0o400, 0o750)


def test_it_begins_with_the_handover_and_keeps_the_hash_alone(world: World) -> None:
    token = signed(exp=int(time.time()) + 1000 * HOUR)
    world.recorded(token)
    grace.begin(world.request)
    assert world.ends == {digest(token): pytest.approx(time.time() + 72 * HOUR, abs=10)}
    assert token not in world.file.read_text() and token.split(".")[2] not in world.file.read_text()


def test_it_is_never_longer_than_the_tokens_own_life(world: World) -> None:
    token = signed(exp=int(time.time()) + HOUR)
    world.recorded(token)
    grace.begin(world.request)
    assert world.ends == {digest(token): pytest.approx(time.time() + HOUR, abs=10)}


def test_a_new_container_begins_nothing(world: World) -> None:
    world.recorded(signed())
    grace.begin(world.request)
    before = world.file.read_bytes()
    assert grace.prepare(world.request)["changed"] is False
    assert world.file.read_bytes() == before


def test_other_hours_count_from_the_same_beginning(world: World) -> None:
    world.recorded(signed())
    grace.begin(world.request)
    (before,) = world.ends.values()
    grace.prepare(replace(world.request, hours=1))
    assert [*world.ends.values()] == [pytest.approx(before - 71 * HOUR)]


def test_no_hours_honour_nothing(world: World) -> None:
    token = signed()
    world.recorded(token)
    grace.begin(replace(world.request, hours=0))
    assert world.ends[digest(token)] <= time.time()


def test_once_it_was_ended_it_stays_so_until_the_next_cutover(world: World) -> None:
    token = signed()
    world.recorded(token)
    grace.begin(world.request)
    assert grace.end(world.request)["ended"] is True
    assert world.ends[digest(token)] <= time.time()
    assert grace.end(world.request) == {"ended": False, "until": ""}
    grace.prepare(replace(world.request, hours=100))
    assert world.ends[digest(token)] <= time.time()
    grace.begin(world.request)
    assert world.ends[digest(token)] > time.time() + 71 * HOUR


def test_a_token_that_was_renewed_since_the_record_is_honoured_beside_the_recorded_one(world: World) -> None:
    """A cutover that failed may have left its record days ago; an open session may have either of the two."""
    old, new = signed(jti="1"), signed(jti="2")
    world.recorded(old)
    world.claude_has(new)
    grace.begin(world.request)
    assert world.ends.keys() == {digest(old), digest(new)}


@pytest.mark.parametrize(
    ("token", "scheme"), [(signed(iss="sentinel-gateway"), "Bearer"), ("b3A6cGFzcw==", "Basic"), ("", "Bearer")]
)
def test_what_is_no_token_of_the_predecessors_is_not_honoured(world: World, token: str, scheme: str) -> None:
    world.claude_has(token, scheme)
    world.recorded(token) if scheme == "Bearer" else None
    grace.begin(world.request)
    assert world.ends == {}


def test_a_file_of_claudes_that_broke_since_leaves_the_recorded_token(world: World, tmp_path: Path) -> None:
    token = signed()
    world.recorded(token)
    (tmp_path / ".claude.json").write_text("{")
    grace.begin(world.request)
    assert world.ends.keys() == {digest(token)}


def test_its_use_is_unknown_where_nobody_answers(world: World) -> None:
    world.recorded(signed())
    grace.begin(world.request)
    shown = show(UseRequest(world.request.folder, 9))
    assert (shown["open"], shown["sessions"], shown["calls"], shown["last_use"]) == (True, None, None, None)
    assert show(UseRequest("/nowhere", 9))["until"] is None
