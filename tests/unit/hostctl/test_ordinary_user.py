"""`hostctl` as an ordinary user of the host, without root and sudo: it works there, or says in one sentence why not."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.hostctl.listed_docker import answering
from tests.unit.hostctl.ordinary_user import OrdinaryUser, ordinary_user

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")

THEIRS = "MAILTO=me@example.com\n0 4 * * * /home/operator/nightly.sh"
INFO = {"ServerVersion": "29.2.1", "MemoryLimit": True, "SwapLimit": True, "Images": 0}


@pytest.fixture
def user(archive: Path) -> Generator[OrdinaryUser]:
    with ordinary_user(archive) as made:
        yield made


def resources(user: OrdinaryUser, action: str, socket: str) -> dict[str, Any]:
    home = user.home
    return user.answer(
        "resources", action, folder=f"{home}/product/resources", program=str(user.archive),
        file=f"{home}/metrics", target_mb=50, docker_socket=socket, backups=str(home),
        scheduler={"kind": "auto", "unit_folder": "/etc/systemd/system", "cron_folder": "/etc/cron.d"},
    )  # fmt: skip


@pytest.mark.parametrize("theirs", ["", THEIRS, f"{THEIRS}\n"])
def test_a_job_is_in_the_users_own_crontab_and_leaves_it_as_it_was(user: OrdinaryUser, theirs: str) -> None:
    if theirs:
        (user.home / "table").write_text(theirs)
        os.chown(user.home / "table", user.home.stat().st_uid, -1)
    answers: dict[str, Any] = {"/version": {"ApiVersion": "1.41"}, "/info": INFO, "/containers/json": []}
    with answering(user.home.parent, answers) as socket:
        os.chmod(socket, 0o666)
        first = resources(user, "keep", socket)
        assert (first["place"], first["changed"]) == ("the crontab of operator", True)
        assert user.crontab.startswith(theirs) and user.crontab.endswith("\n")
        assert "* * * * * PATH=/usr/local/sbin:" in user.crontab
        assert resources(user, "keep", socket)["changed"] is False
        assert "the crontab of operator" in resources(user, "forget", socket)["removed"]
    assert user.crontab.rstrip("\n") == theirs.rstrip("\n")
    assert (user.home / "table").exists() == bool(theirs)


def test_jobs_that_are_installed_side_by_side_all_stay(user: OrdinaryUser) -> None:
    program = (user.home / "bin" / "crontab").read_text()
    slow = program.replace("-l) [", "-l) sleep 0.2; [")
    (user.home / "bin" / "crontab").write_text(slow)
    install = (
        "import sys; sys.path.insert(0, sys.argv[2]); from hostctl.schedule import crontab; "
        "from hostctl.schedule.script_block import Block; crontab.put(Block(sys.argv[1], '* * * * * true'))"
    )
    running = [user.start(install, name) for name in ("one", "two", "three")]
    assert [process.wait(30) for process in running] == [0, 0, 0]
    assert user.crontab.count("* * * * * true") == 3


def test_a_crontab_that_is_not_allowed_is_a_problem_before_anything_is_touched(user: OrdinaryUser) -> None:
    (user.home / "bin" / "crontab").write_text("#!/bin/sh\necho 'You (operator) are not allowed' >&2; exit 1\n")
    socket = str(user.home / "none.sock")
    document = {"folder": f"{user.home}/product", "docker_socket": socket, "scheduler": "cron"}
    found = user.answer("host", "inspect", **document)["findings"]
    assert {one["part"]: one["verdict"] for one in found}["docker"] == "problem"
    assert not (user.home / "product").exists()


def test_files_of_nobody_in_particular_have_their_own_modes_whatever_the_umask(user: OrdinaryUser) -> None:
    folder = f"{user.home}/product/marks"
    open_to_all = {"name": "mark", "content": "x", "mode": "0444", "uid": 65534, "gid": 65534}
    own = {"name": "own", "content": "y", "mode": "0400"}
    document = {"folder": folder, "folder_mode": "0755", "uid": 65534, "gid": 65534, "files": [open_to_all, own]}
    assert user.answer("files", "write", **document)["written"] == ["mark", "own"]
    assert [user.mode(f"product/marks{name}") for name in ("", "/mark", "/own")] == ["0755", "0444", "0400"]
    assert user.answer("files", "write", **document)["unchanged"] == ["mark", "own"]


def test_a_containers_secret_without_docker_is_one_sentence_and_stays_unreadable(user: OrdinaryUser) -> None:
    folder = f"{user.home}/product/secrets"
    secret = {"name": "key", "content": "s3cret", "uid": 10001, "gid": 10001}
    done = user.run("files", "write", folder=folder, uid=10001, gid=10001, files=[secret], docker_socket="/none")
    assert done.returncode == 1 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1 and "s3cret" not in done.stderr
    assert user.mode("product/secrets") == "0700"
