"""Data of another major version of PostgreSQL is refused; a minor one, an empty volume and none at all pass."""

from __future__ import annotations

from typing import Any

import pytest

from hostctl.core.errors import Refusal
from hostctl.docker import one_shot
from hostctl.docker.engine import Engine
from hostctl.docker.one_shot import OneShot
from hostctl.postgres import version
from hostctl.postgres.version import VersionRequest

REQUEST = VersionRequest("sha256:1", "sentinel-postgres")


def answering(monkeypatch: pytest.MonkeyPatch, image: tuple[int, str], volume: tuple[int, str] | None) -> None:
    """The one-shots' answers: of the image's own program, and of the volume's file, None without a volume."""

    def run(engine: object, shot: OneShot, seconds: float) -> tuple[int, str]:
        if shot.command[0] == "pg_restore":
            return image
        assert volume is not None and shot.named_volumes == {"/volume": "sentinel-postgres"}
        return volume

    def find(self: Engine, path: str) -> Any:
        return None if volume is None else {"Name": "sentinel-postgres"}

    monkeypatch.setattr(one_shot, "run", run)
    monkeypatch.setattr(Engine, "find", find)


@pytest.mark.parametrize(
    ("volume", "found"),
    [((0, "16\n"), 16), ((1, "cat: /volume/PG_VERSION: No such file or directory"), 0), (None, 0)],
    ids=["the same", "empty", "none"],
)
def test_what_the_image_can_read_passes(
    monkeypatch: pytest.MonkeyPatch, volume: tuple[int, str] | None, found: int
) -> None:
    answering(monkeypatch, (0, "pg_restore (PostgreSQL) 16.10 (Debian 16.10-1.pgdg13+1)"), volume)
    assert version.check(REQUEST) == {"image": 16, "volume": found}


@pytest.mark.parametrize("major", ["15", "18"])
def test_data_of_another_major_version_is_refused_with_the_upgrade(monkeypatch: pytest.MonkeyPatch, major: str) -> None:
    answering(monkeypatch, (0, "pg_restore (PostgreSQL) 16.10"), (0, f"{major}\n"))
    with pytest.raises(Refusal, match=rf"data of PostgreSQL {major}, and postgres.image is PostgreSQL 16, .*upgrade"):
        version.check(REQUEST)


def test_an_image_of_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, (127, "exec: pg_restore: not found"), None)
    with pytest.raises(Refusal, match=r"postgres\.image has no pg_restore"):
        version.check(REQUEST)
