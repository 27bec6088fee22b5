"""`hostctl grafana password` against the double: a changed file reaches the admin, whom Grafana keeps in its database.

Its lines run here as they do in the container, with the double's program as `grafana`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from console.paths import ROOT
from hostctl.core.errors import Refusal
from hostctl.grafana import admin_password
from hostctl.grafana.admin_password import PasswordRequest
from lab.doubles.grafana.database import Database
from lab.doubles.grafana.evaluation import Evaluator
from lab.doubles.grafana.notifying import Notifier
from lab.doubles.grafana.provisioning import Refused, read
from lab.doubles.grafana.server import Api, server
from tests.integration.grafana.conftest import WEBHOOK, provisioned_files

FIRST, KEY = "grafana-" + "a" * 40, "key-" + "k" * 40
ODD = 'a "quoted" \\ one: ü$HOME `id`'
"""A password that a person may have chosen: every character with a meaning in a shell or for curl."""


@dataclass(frozen=True)
class Container:
    """A folder in place of the container's root; `password` is what its file holds."""

    folder: Path
    port: int

    @property
    def file(self) -> Path:
        return self.folder / "password"

    @property
    def database(self) -> Path:
        return self.folder / "grafana-1.db"

    def set(self) -> dict[str, Any]:
        return admin_password.password(
            PasswordRequest(
                "sentinel-grafana", "admin", self.port, str(self.file), str(self.folder / "key"), str(self.folder),
                self.database.name, "/nowhere",
            )
        )  # fmt: skip


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Container]:
    provisioned = read(provisioned_files(tmp_path, WEBHOOK))
    evaluator = Evaluator(provisioned)
    notifier = Notifier(provisioned, evaluator, "http://127.0.0.1:3100/")
    database = Database.opened(tmp_path / "grafana-1.db", FIRST, KEY)
    serving = server(Api(provisioned, evaluator, "admin", database, notifier), "127.0.0.1", 0)
    thread = threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    (tmp_path / "password").write_text(FIRST)
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "grafana"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m lab.doubles.grafana "$@"\n')
    program.chmod(0o755)
    variables = {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "GF_PATHS_DATA": str(tmp_path),
        "GF_DATABASE_PATH": "grafana-1.db",
    }

    class Engine:
        def __init__(self, path: str) -> None:
            pass

        def inside(self, name: str, words: Sequence[str], seconds: float) -> tuple[int, str]:
            done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=seconds)
            return done.returncode, done.stdout + done.stderr

    def find(*_: object) -> SimpleNamespace:
        return SimpleNamespace(id="sentinel-grafana", running=True)

    monkeypatch.setattr(admin_password, "Engine", Engine)
    monkeypatch.setattr(admin_password.containers, "find", find)
    yield Container(tmp_path, serving.server_address[1])
    serving.shutdown()
    serving.server_close()
    thread.join()


def test_a_password_that_grafana_accepts_is_not_changed(container: Container) -> None:
    before = container.database.read_bytes()
    assert container.set() == {"user": "admin", "set": False, "reason": "Grafana takes it already", "removed": []}
    assert container.database.read_bytes() == before


@pytest.mark.parametrize("new", ["another-password", ODD])
def test_the_file_alone_does_not_reach_the_admin_and_the_verb_does(container: Container, new: str) -> None:
    container.file.write_text(new)
    kept = Database(container.database)
    assert (kept.takes(FIRST), kept.takes(new)) == (True, False)
    assert container.set() == {"user": "admin", "set": True, "reason": "Grafana refused it", "removed": []}
    assert (kept.takes(FIRST), kept.takes(new)) == (False, True)
    assert container.set()["set"] is False


def test_a_password_that_grafana_rejects_is_refused_without_the_secret(container: Container) -> None:
    container.file.write_text("abc")
    with pytest.raises(Refusal) as refused:
        container.set()
    assert str(refused.value) == (
        "Grafana in sentinel-grafana does not take its admin's new password (it answers 401): see "
        "'docker logs sentinel-grafana', then run 'pulumi up' again"
    )
    assert Database(container.database).takes(FIRST)


def test_the_database_of_a_former_key_goes_and_nothing_else(container: Container) -> None:
    for name in ("grafana-0.db", "grafana-0.db-wal", "plugins", "grafana.ini"):
        (container.folder / name).touch()
    folder = container.folder
    assert container.set()["removed"] == [f"{folder}/grafana-0.db", f"{folder}/grafana-0.db-wal"]
    assert {"grafana-1.db", "plugins", "grafana.ini"} <= {path.name for path in folder.iterdir()}


def test_a_database_of_another_key_ends_grafanas_start(tmp_path: Path) -> None:
    Database.opened(tmp_path / "grafana.db", FIRST, KEY)
    assert Database.opened(tmp_path / "grafana.db", "another", KEY).takes(FIRST)
    with pytest.raises(Refused, match="message authentication failed"):
        Database.opened(tmp_path / "grafana.db", FIRST, "key-" + "l" * 40)


def test_a_container_that_does_not_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(*_: object) -> None:
        return None

    monkeypatch.setattr(admin_password.containers, "find", find)
    with pytest.raises(Refusal, match=r"the container g does not run, .*: run 'pulumi up' again"):
        admin_password.password(PasswordRequest("g", "admin", 3000, "/a", "/k", "/d", "d.db", "/nowhere"))
