"""Missing parts are downloaded or built, atomically and checked; a server that is silent costs seconds."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from console.errors import UserError
from console.progress import Progress
from tests.starvation import Stopwatch
from toolchain import download, find, provide
from toolchain.parts import ENGINE_VERSION, PLUGINS


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(autouse=True)
def no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """These engines come and go: what is remembered of them stays with the test."""
    monkeypatch.setattr(find, "VERSIONS", tmp_path / "remembered" / "versions.json")


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A release server on loopback with one archive of three programs, and the folder that it serves."""
    folder = tmp_path / "releases"
    folder.mkdir()
    with tarfile.open(folder / download.archive_name(), "w:gz") as archive:
        for name in ("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-language-go"):
            content = b"#!/bin/sh\necho v" + ENGINE_VERSION.encode()
            member = tarfile.TarInfo(f"pulumi/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256((folder / download.archive_name()).read_bytes()).hexdigest()
    (folder / f"pulumi-{ENGINE_VERSION}-checksums.txt").write_text(f"{digest}  {download.archive_name()}\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    server.server_close()


def test_a_server_that_never_answers_is_given_up_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stopwatch = Stopwatch()
        with pytest.raises(download.NotReachable):
            download.checksums(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert stopwatch.seconds < 4


def test_a_closed_port_is_given_up_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(download.NotReachable, match="refused"):
        download.checksums(f"http://127.0.0.1:{port}")


def test_the_release_gives_all_three_programs_and_leaves_nothing_else(
    tmp_path: Path, releases: tuple[str, Path]
) -> None:
    with Progress(tmp_path / "log", io.StringIO()).step("download") as step:
        download.engine(tmp_path / "bin", download.checksums(releases[0]), step, releases[0])
    programs = {"pulumi", "pulumi-language-python", "pulumi-language-python-exec"}
    assert {file.name for file in (tmp_path / "bin").iterdir()} == programs
    assert find.engine_version(tmp_path / "bin" / "pulumi") == ENGINE_VERSION


def test_nothing_of_an_archive_with_a_wrong_checksum_is_used(tmp_path: Path, releases: tuple[str, Path]) -> None:
    wrong = f"{'0' * 64}  {download.archive_name()}\n"
    progress = Progress(tmp_path / "log", io.StringIO())
    with pytest.raises(UserError, match="SHA-256"), progress.step("download") as step:
        download.engine(tmp_path / "bin", wrong, step, releases[0])
    assert list((tmp_path / "bin").iterdir()) == []


def test_a_program_that_is_being_replaced_is_whole_at_every_moment(tmp_path: Path) -> None:
    class Killed(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    (tmp_path / "pulumi").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        download.put(Killed(), tmp_path / "pulumi")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("pulumi", b"old")]


def test_nothing_is_left_to_do_when_all_programs_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pulumi", "pulumi-language-python", "pulumi-language-python-exec"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho v{ENGINE_VERSION}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    stopwatch = Stopwatch()
    assert provide.long_steps(tmp_path / "own" / "toolchain" / "bin") == []
    assert stopwatch.seconds < 1


def test_where_no_release_can_be_reached_both_programs_are_built_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> str:
        raise download.NotReachable("no route")

    monkeypatch.setattr(download, "checksums", unreachable)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    steps = provide.long_steps(tmp_path / "toolchain" / "bin")
    assert [step.name for step in steps] == ["engine", "language host"]


def test_an_installed_plugin_is_linked_into_our_home_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for plugin in PLUGINS:
        folder = tmp_path / ".pulumi" / "plugins" / plugin.folder
        folder.mkdir(parents=True)
        (folder / plugin.executable).write_text("#!/bin/sh\n")
        (folder / plugin.executable).chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    home = tmp_path / "home"
    progress = Progress(tmp_path / "log", io.StringIO())
    assert provide.plugins(home, progress, retry=True) == []
    assert provide.plugins(home, progress, retry=True) == []
    for plugin in PLUGINS:
        linked = home / "plugins" / plugin.folder
        assert not linked.is_symlink(), "the engine follows no link to a folder"
        assert (linked / plugin.executable).resolve().is_relative_to(tmp_path / ".pulumi")


def test_a_download_of_plugins_that_was_given_up_is_not_tried_again_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[str] = []

    def unreachable() -> str:
        attempts.append("once")
        raise download.NotReachable("no route")

    monkeypatch.setattr(download, "checksums", unreachable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    progress = Progress(tmp_path / "log", io.StringIO())
    for retry in (False, False, True):
        assert provide.plugins(tmp_path / "home", progress, retry=retry) == list(PLUGINS)
    assert attempts == ["once", "once"]
