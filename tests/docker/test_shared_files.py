"""`files write` by a member of the docker group, on a real Docker: the container's user reads them, nobody else."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.docker.handover_host import Host
from tests.unit.hostctl.ordinary_user import UID, OrdinaryUser, ordinary_user

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]

PYTHON = os.path.realpath(sys.executable)
"""The test image has it at the same path."""
READER, OTHER = 10001, 10102
FILES: list[dict[str, Any]] = [
    {"name": "key", "content": "first", "mode": "0400", "uid": READER, "gid": READER},
    {"name": "other", "content": "theirs", "mode": "0400", "uid": OTHER, "gid": OTHER},
]


@pytest.fixture
def member(archive: Path, docker_socket: str) -> Generator[OrdinaryUser]:
    with ordinary_user(archive, groups=(os.stat(docker_socket).st_gid,)) as made:
        yield made


def write(member: OrdinaryUser, docker_socket: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    folder = f"{member.home}/product/secrets"
    document = {"folder": folder, "folder_mode": "0750", "uid": READER, "gid": READER, "files": files}
    return member.answer("files", "write", **document, docker_socket=docker_socket)


def read(host: Host, image: str, file: Path, user: int) -> bool:
    """True where a container's user reads the file that it has mounted."""
    command = [PYTHON, "-S", "-c", "open('/x').read()"]
    request = {"image": image, "command": command, "user": f"{user}:{user}", "files": {"/x": str(file)}}
    return host.call("one-shot", "run", request).returncode == 0


def test_each_file_is_its_own_readers_and_a_replaced_one_stays_so(
    host: Host, image: str, docker_socket: str, member: OrdinaryUser
) -> None:
    folder = member.home / "product" / "secrets"
    assert write(member, docker_socket, FILES)["written"] == ["key", "other"]
    assert [member.mode(f"product/secrets{name}") for name in ("", "/key", "/other")] == ["2750", "0440", "0440"]
    assert {(folder / name).stat().st_uid for name in ("key", "other")} == {UID}
    allowed = {
        (user, name): read(host, image, folder / name, user) for user in (READER, OTHER) for name in ("key", "other")
    }
    assert [pair for pair, good in allowed.items() if good] == [(READER, "key"), (OTHER, "other")]
    assert write(member, docker_socket, FILES)["unchanged"] == ["key", "other"]
    changed = write(member, docker_socket, [{**FILES[0], "content": "second"}, FILES[1]])
    assert changed["written"] == ["key"] and member.mode("product/secrets/key") == "0440"
    assert read(host, image, folder / "key", READER)
    assert not read(host, image, folder / "key", OTHER)
