"""Two runs at once on a folder: the second is refused with the name of the first."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path
from typing import Any

import pytest

from hostctl.core import lock
from hostctl.core.errors import Refusal


def test_a_second_run_is_refused_with_the_name_of_the_first(tmp_path: Path) -> None:
    pattern = (
        rf"another hostctl \(process {os.getpid()}, handover cutover, since 20.*Z\) holds {tmp_path}/lock: wait until"
    )
    with (
        lock.held(str(tmp_path), "handover cutover"),
        pytest.raises(Refusal, match=pattern),
        lock.held(str(tmp_path), "x"),
    ):
        pytest.fail("the second got the lock")


def test_a_lock_is_free_after_its_holder_ended(tmp_path: Path) -> None:
    with lock.held(str(tmp_path), "one"):
        pass
    with lock.held(str(tmp_path), "two"):
        assert json.loads((tmp_path / "lock").read_text())["reason"] == "two"


def test_a_handover_under_a_lock_changes_nothing(run: Any, tmp_path: Path) -> None:
    document = {
        "docker_socket": "/nowhere", "container": "c", "edge": "e", "internal": "i", "port": 9200,
        "folder": str(tmp_path),
    }  # fmt: skip
    handle = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    done = run("handover", "cutover", document=document)
    os.close(handle)
    assert done.returncode == 1 and done.stderr.startswith("hostctl handover cutover: another hostctl holds ")


def test_the_owner_of_the_lock_is_read_without_taking_it(tmp_path: Path) -> None:
    assert lock.owner(str(tmp_path)) is None
    with lock.held(str(tmp_path), "handover rollback"):
        seen = lock.owner(str(tmp_path))
        assert seen is not None and (seen["pid"], seen["reason"]) == (os.getpid(), "handover rollback")
    assert lock.owner(str(tmp_path)) is None


def test_a_lock_is_held_on_a_full_disk_and_never_under_a_former_owners_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lock.held(str(tmp_path), "the former one"):
        pass

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with (
        lock.held(str(tmp_path), "handover rollback"),
        pytest.raises(Refusal, match=r"^another hostctl holds"),
        lock.held(str(tmp_path), "x"),
    ):
        pytest.fail("the second got the lock")
