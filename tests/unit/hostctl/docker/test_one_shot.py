"""A one-shot container is hardened unless it says otherwise, and those of killed runs are removed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from hostctl.docker import one_shot
from hostctl.docker.engine import DockerError, Engine, TooLate
from hostctl.docker.one_shot import LABEL, OneShot


class Recorder:
    """An engine that notes what is removed."""

    def __init__(self, rows: list[dict[str, Any]], wait: Exception | None = None) -> None:
        self.rows, self.wait, self.removed = rows, wait, list[str]()

    def get(self, path: str) -> list[dict[str, Any]]:
        assert path.startswith("/containers/json?all=1&filters=")
        return self.rows

    def post(self, path: str, body: dict[str, Any] | None = None, seconds: float = 0) -> dict[str, Any]:
        if path.endswith("/wait") and self.wait is not None:
            raise self.wait
        return {"Id": "new", "StatusCode": 0}

    def delete(self, path: str) -> None:
        self.removed.append(path.split("/")[2].split("?")[0])

    def log_tail(self, container: str, lines: int) -> str:
        return "the last line\n"


def engine(rows: list[dict[str, Any]], wait: Exception | None = None) -> tuple[Engine, Recorder]:
    recorder = Recorder(rows, wait)
    return cast(Engine, recorder), recorder


def test_by_default_it_has_no_network_no_capability_and_no_writable_root() -> None:
    host = OneShot("image", ("promtool", "check")).body()["HostConfig"]
    assert (host["NetworkMode"], host["CapDrop"], host["CapAdd"]) == ("none", ["ALL"], [])
    assert (host["ReadonlyRootfs"], host["SecurityOpt"]) == (True, ["no-new-privileges:true"])
    assert host["Memory"] == host["MemorySwap"] == 256 * 1024 * 1024


def test_a_file_is_read_under_its_own_path_by_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "one.dump"
    file.touch()
    body = one_shot.reader("image", ["pg_restore", str(file)], str(file)).body()
    assert body["User"] == f"{os.getuid()}:{os.getgid()}"
    assert body["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Target": str(file), "Source": str(file), "ReadOnly": True}
    ]


def test_a_container_goes_whose_maker_has_ended_and_one_stays_whose_maker_runs() -> None:
    running = OneShot("image").body()["Labels"][LABEL]
    process, start = running.split()
    rows = [
        {"Id": "running", "Labels": {LABEL: running}},
        {"Id": "its id was given again", "Labels": {LABEL: f"{process} {int(start) + 1}"}},
        {"Id": "ended", "Labels": {LABEL: "999999999 1"}},
        {"Id": "of an older version", "Labels": {LABEL: "true"}},
    ]
    docker, recorder = engine(rows)
    assert one_shot.run(docker, OneShot("image"), 1) == (0, "the last line")
    assert recorder.removed == ["its id was given again", "ended", "of an older version", "new"]


def test_one_that_does_not_end_is_removed_and_reported_with_its_last_lines() -> None:
    docker, recorder = engine([], TooLate("no answer", 0))
    with pytest.raises(TooLate, match="`sleep 9` has not ended after 1 s: run again\nthe last line"):
        one_shot.run(docker, OneShot("image", ("sleep", "9")), 1)
    assert recorder.removed == ["new"]


def test_it_is_removed_whatever_happens() -> None:
    docker, recorder = engine([], DockerError("broke off", 0))
    with suppress(DockerError):
        one_shot.run(docker, OneShot("image"), 1)
    assert recorder.removed == ["new"]
