"""A user who can write where root does makes a link to what is not theirs, or root's umask is 077."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from pathlib import Path

import pytest

from hostctl import files
from hostctl.core import atomic_file, folders, json_file, lock

THEM = 1234
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led to what belongs to another user")


@pytest.fixture
def strict_umask() -> Generator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of theirs."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "home"
    folder.mkdir()
    os.chown(folder, THEM, THEM)
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def link(path: Path, target: Path, owner: int = THEM) -> None:
    path.symlink_to(target)
    os.chown(path, owner, owner, follow_symlinks=False)


@as_root
@pytest.mark.parametrize("there", [True, False], ids=["a file", "no file yet"])
def test_root_does_not_write_through_their_link_to_what_is_not_theirs(home: Path, tmp_path: Path, there: bool) -> None:
    roots = tmp_path / "roots"
    roots.mkdir()
    if there:
        (roots / "shadow").write_text("root's")
    link(home / ".mcp-token", roots / "shadow")
    with pytest.raises(OSError, match="link of user 1234 to what belongs to another user"):
        atomic_file.write(str(home / ".mcp-token"), b"theirs")
    assert [path.read_text() for path in roots.iterdir()] == (["root's"] if there else [])


@as_root
def test_a_folder_that_is_their_link_is_no_way_either(home: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    link(home / ".claude", tmp_path / "etc")
    with pytest.raises(OSError, match="link of user 1234"):
        atomic_file.write(str(home / ".claude" / "settings.json"), b"{}")
    assert list((tmp_path / "etc").iterdir()) == []


@as_root
def test_their_own_dotfile_elsewhere_is_written_and_stays_a_link(home: Path) -> None:
    (home / "dotfiles").mkdir()
    os.chown(home / "dotfiles", THEM, THEM)
    real = home / "dotfiles" / "claude.json"
    real.write_text("{}")
    os.chown(real, THEM, THEM)
    link(home / ".claude.json", real)
    atomic_file.write(str(home / ".claude.json"), b'{"a": 1}')
    assert (home / ".claude.json").is_symlink() and real.read_text() == '{"a": 1}'
    assert real.stat().st_uid == THEM


@as_root
def test_a_link_of_roots_own_leads_anywhere(home: Path, tmp_path: Path) -> None:
    link(tmp_path / "product", home, owner=0)
    atomic_file.write(str(tmp_path / "product" / "file"), b"x")
    assert (home / "file").read_bytes() == b"x"


def test_a_folder_is_not_reached_through_a_link_that_was_put_there_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "swapped").symlink_to(tmp_path / "real")
    with pytest.raises(OSError):
        folders.opened(str(tmp_path / "swapped"))


def test_modes_are_set_whatever_the_umask(tmp_path: Path, strict_umask: None) -> None:
    json_file.write(str(tmp_path / "a" / "b" / "record.json"), {}, 0o644, 0o750)
    assert [mode(tmp_path / part) for part in ("a", "a/b", "a/b/record.json")] == [0o755, 0o750, 0o644]
    with lock.held(str(tmp_path / "c" / "d"), "a test"):
        pass
    assert [mode(tmp_path / part) for part in ("c", "c/d")] == [0o755, 0o750]
    folders.make(str(tmp_path / "a"), 0o700)
    assert mode(tmp_path / "a") == 0o755, "one that exists keeps its mode"


@as_root
def test_the_folder_of_a_containers_files_is_roots_and_its_files_the_containers(
    tmp_path: Path, strict_umask: None
) -> None:
    folder = tmp_path / "product" / "files-1"
    files.write(files.FilesRequest(str(folder), uid=999, gid=999, files=(files.File("key", "x", uid=999, gid=999),)))
    assert (folder.stat().st_uid, folder.stat().st_gid, mode(folder)) == (0, 999, 0o750)
    assert ((folder / "key").stat().st_uid, mode(folder / "key")) == (999, 0o400)


def test_a_folder_where_a_file_is_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        folders.make(str(tmp_path / "file" / "below"), 0o755)
