"""`files write` and `files remove`, `token write`: whole files with the declared owner and mode."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from hostctl.core.unfinished import FOLDER
from tests.unit.hostctl.listed_docker import docker, listed

SECRET = "s" * 40


def answer(done: Any) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_files_are_written_once_and_then_left_alone(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    document = {
        "folder": str(folder), "folder_mode": "0710",
        "files": [{"name": "one", "content": "ein\n", "mode": "0440"}, {"name": "two", "content": ""}],
    }  # fmt: skip
    assert answer(run("files", "write", document=document))["written"] == ["one", "two"]
    inode = (folder / "one").stat().st_ino
    assert answer(run("files", "write", document=document))["unchanged"] == ["one", "two"]
    assert (folder / "one").stat().st_ino == inode
    assert (folder / "one").read_text() == "ein\n"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "one", folder / "two")] == [
        0o710,
        0o440,
        0o400,
    ]
    assert sorted(os.listdir(folder)) == ["one", "two"]


def test_removing_takes_the_listed_files_and_an_empty_folder_only(run: Any, tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "mine").write_text("x")
    (tmp_path / "f" / "theirs").write_text("y")
    document = {"folder": str(tmp_path / "f"), "files": [{"name": name, "content": ""} for name in ("mine", "gone")]}
    with docker(tmp_path, []) as socket:
        document["docker_socket"] = socket
        found = answer(run("files", "remove", document=document))
        assert (found["removed"], found["folder_removed"]) == (["mine"], False)
        (tmp_path / "f" / "theirs").unlink()
        assert answer(run("files", "remove", document=document))["folder_removed"] is True
    assert answer(run("files", "remove", document=document))["folder_removed"] is True


@pytest.mark.parametrize("state", ["running", "exited", "created"])
@pytest.mark.parametrize("mounted", ["f", "f/key"])
def test_what_a_container_mounts_is_kept_recorded_without_contents_and_removed_once_it_is_gone(
    archive: Path, tmp_path: Path, state: str, mounted: str
) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "key").write_text(SECRET)
    program = tmp_path / "hostctl.pyz"
    shutil.copy(archive, program)
    containers = [listed("gateway", tmp_path / mounted, state=state)]
    with docker(tmp_path, containers) as socket:

        def ran(*verb: str, **document: Any) -> dict[str, Any]:
            command = [sys.executable, "-I", "-S", str(program), *verb]
            text = json.dumps({"docker_socket": socket, "folder": str(tmp_path), **document})
            return answer(subprocess.run(command, input=text, capture_output=True, text=True))

        files = {"folder": str(tmp_path / "f"), "files": [{"name": "key", "content": SECRET}]}
        reason = f"{tmp_path / 'f'} is kept while a container mounts it: gateway"
        assert ran("files", "remove", **files) == {"removed": False, "reason": reason}
        (record,) = (tmp_path / FOLDER).iterdir()
        assert SECRET not in record.read_text()
        assert [one["reason"] for one in ran("unfinished", "show")["unfinished"]] == [reason]
        assert ran("unfinished", "repair") == {"done": [], "left": [f"files remove is still not done: {reason}"]}
        assert ran("unfinished", "drop")["dropped"] and record.exists()
        containers.clear()
        assert ran("unfinished", "repair") == {"done": ["files remove"], "left": []}
        assert not (tmp_path / "f").exists() and not record.exists()


def test_files_that_were_written_again_are_not_due_any_more(run: Any, tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / "f").mkdir()
    record = {"verb": "files remove", "at": "", "reason": "", "request": json.dumps({"folder": str(tmp_path / "f")})}
    (tmp_path / FOLDER / "files-remove-1.json").write_text(json.dumps(record))
    document = {"folder": str(tmp_path), "declared": [str(tmp_path / "f")]}
    assert answer(run("unfinished", "show", document=document))["unfinished"] == []
    assert answer(run("unfinished", "repair", document=document)) == {"done": [], "left": []}
    assert (tmp_path / "f").exists() and not list((tmp_path / FOLDER).iterdir())


def test_files_stay_while_docker_cannot_say_who_mounts_them(run: Any, tmp_path: Path) -> None:
    (tmp_path / "key").touch()
    document = {"folder": str(tmp_path), "files": [{"name": "key"}], "docker_socket": str(tmp_path / "none")}
    found = answer(run("files", "remove", document=document))
    assert found["removed"] is False and "did not answer" in found["reason"]
    assert (tmp_path / "key").exists()


def test_a_live_file_goes_whatever_mounts_its_folder(run: Any, tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks" / "mark").touch()
    with docker(tmp_path, [listed("prometheus", tmp_path / "marks", state="running")]) as socket:
        document = {"folder": str(tmp_path / "marks"), "files": [{"name": "mark"}], "docker_socket": socket}
        assert answer(run("files", "remove", document={**document, "live": True}))["removed"] == ["mark"]


def test_a_symbolic_link_stays_and_its_target_is_written(run: Any, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("old")
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "link").symlink_to(tmp_path / "real" / "file")
    answer(
        run("files", "write", document={"folder": str(tmp_path / "f"), "files": [{"name": "link", "content": "new"}]})
    )
    assert (tmp_path / "f" / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "new"


@pytest.mark.skipif(os.getuid() != 0, reason="giving files to another user needs root")
def test_a_file_gets_its_owner_and_keeps_the_previous_one_when_none_is_declared(run: Any, tmp_path: Path) -> None:
    document: dict[str, Any] = {
        "folder": str(tmp_path),
        "files": [{"name": "s", "content": "1", "uid": 10001, "gid": 10002}],
    }
    answer(run("files", "write", document=document))
    document["files"][0] = {"name": "s", "content": "2"}
    answer(run("files", "write", document=document))
    found = (tmp_path / "s").stat()
    assert ((tmp_path / "s").read_text(), found.st_uid, found.st_gid) == ("2", 10001, 10002)


def token_document(path: Path, secret: str = SECRET, **values: Any) -> dict[str, Any]:
    file = path.with_name("secret")
    file.write_text(secret + "\n")
    return {
        "path": str(path), "secret_file": str(file), "issuer": "sentinel-gateway", "audience": "sentinel-api",
        "subject": "operator", "role": "admin", "days": 30, "renew_share": 0.3, **values,
    }  # fmt: skip


def test_a_token_is_what_pyjwt_accepts_and_stays_the_same_while_it_is_good(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "token"
    first = answer(run("token", "write", document=token_document(path)))
    written = path.read_text()
    claims = jwt.decode(
        written.strip(), SECRET, algorithms=["HS256"], audience="sentinel-api", issuer="sentinel-gateway"
    )
    assert (claims["sub"], claims["role"], claims["exp"] - claims["iat"]) == ("operator", "admin", 30 * 86400)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = answer(run("token", "write", document=token_document(path)))
    assert (first["kept"], second["kept"], second["expires_at"]) == (False, True, first["expires_at"])
    assert path.read_text() == written


@pytest.mark.parametrize(
    "change", [{"secret": "t" * 40}, {"subject": "another"}, {"days": 31}, {"audience": "b"}, {"issuer": "c"}]
)
def test_a_token_is_renewed_when_its_claims_are_no_longer_declared(
    run: Any, tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tmp_path / "token"
    answer(run("token", "write", document=token_document(path)))
    assert answer(run("token", "write", document=token_document(path, **change)))["kept"] is False


@pytest.mark.parametrize(("left_days", "kept"), [(8, False), (10, True)])
def test_a_token_is_renewed_when_less_than_its_share_of_life_is_left(
    run: Any, tmp_path: Path, left_days: int, kept: bool
) -> None:
    path, now = tmp_path / "token", int(time.time())
    claims = {"sub": "operator", "role": "admin", "iss": "sentinel-gateway", "aud": "sentinel-api"}
    times = {"iat": now + (left_days - 30) * 86400, "exp": now + left_days * 86400}
    path.write_text(jwt.encode({**claims, **times}, SECRET, algorithm="HS256"))
    assert answer(run("token", "write", document=token_document(path)))["kept"] is kept


def test_a_token_without_signature_is_replaced(run: Any, tmp_path: Path) -> None:
    path, now = tmp_path / "token", int(time.time())
    claims = {"sub": "operator", "role": "admin", "iss": "sentinel-gateway", "aud": "sentinel-api", "iat": now}
    path.write_text(jwt.encode({**claims, "exp": now + 30 * 86400}, "", algorithm="none"))
    assert answer(run("token", "write", document=token_document(path)))["kept"] is False


@pytest.mark.parametrize("held", ["", "nonsense", "a.b.c", "é", base64.b64encode(bytes(200)).decode()])
def test_whatever_the_token_file_held_a_good_token_replaces_it(run: Any, tmp_path: Path, held: str) -> None:
    path = tmp_path / "token"
    path.write_text(held)
    assert answer(run("token", "write", document=token_document(path)))["kept"] is False


def test_a_short_secret_is_refused_and_not_repeated(run: Any, tmp_path: Path) -> None:
    done = run("token", "write", document=token_document(tmp_path / "token", secret="short-secret"))
    assert done.stderr == (
        "hostctl token write: the JWT secret is shorter than 32 bytes: make one with 'make secrets' "
        "(docs/runbook.md#hostctl-token-write)\n"
    )
    assert not (tmp_path / "token").exists()


def test_removing_a_token_twice_is_no_error(run: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x")
    assert answer(run("token", "remove", document={"path": str(tmp_path / "token")}))["removed"] is True
    assert answer(run("token", "remove", document={"path": str(tmp_path / "token")}))["removed"] is False


def test_a_file_that_was_edited_by_hand_is_found_and_none_that_was_not(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "product" / "files-1"
    files = [{"name": name, "content": name, "mode": "0600"} for name in ("edited", "gone", "opened", "same")]
    run("files", "write", document={"folder": str(folder), "files": files})
    with docker(tmp_path, []) as socket:
        document = {"folders": [str(folder)], "docker_socket": socket}
        assert answer(run("docker", "presence", document=document))["edited"] == []
        (folder / "edited").write_text("by hand")
        (folder / "gone").unlink()
        (folder / "opened").chmod(0o666)
        found = answer(run("docker", "presence", document=document))["edited"]
        assert found == [str(folder / name) for name in ("edited", "gone", "opened")]
        run("files", "write", document={"folder": str(folder), "files": files})
        assert answer(run("docker", "presence", document=document))["edited"] == []
        kept = tmp_path / "product" / "written"
        assert [path.stat().st_mode & 0o777 for path in (kept, *kept.iterdir())] == [0o700, 0o600]
        removed = {"folder": str(folder), "files": files, "docker_socket": socket}
        assert answer(run("files", "remove", document=removed))["folder_removed"] is True
        assert not kept.exists()
