"""The tar of a folder with a Dockerfile: the same content gives the same bytes, and nothing else is in it."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from hostctl import image_context
from hostctl.errors import Refusal


def sources(folder: Path) -> Path:
    """Sources as an operator has them: a program that may be run, a link, and what a build must not see."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.rs").write_text("fn main() {}\n")
    (folder / "build.sh").write_text("#!/bin/sh\n")
    (folder / "build.sh").chmod(0o755)
    (folder / "latest").symlink_to("src/main.rs")
    (folder / "target" / "release").mkdir(parents=True)
    (folder / "target" / "release" / "large").write_text("x" * 1000)
    (folder / ".env").write_text("KEY=secret\n")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (folder / ".dockerignore").write_text("target\n.env\nDockerfile\n")
    return folder


def written(folder: Path) -> tuple[str, dict[str, tarfile.TarInfo]]:
    archive = io.BytesIO()
    digest = image_context.write(folder, archive)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        return digest, {member.name: member for member in tar.getmembers()}


def test_what_is_left_out_is_not_in_it_and_modes_and_links_are(tmp_path: Path) -> None:
    _, members = written(sources(tmp_path / "one"))
    assert set(members) == {".dockerignore", "Dockerfile", "build.sh", "latest", "src", "src/main.rs"}
    assert members["build.sh"].mode == 0o755
    assert (members["latest"].issym(), members["latest"].linkname) == (True, "src/main.rs")
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 0)}


def test_the_same_content_elsewhere_and_later_is_the_same_and_a_changed_file_or_mode_is_not(tmp_path: Path) -> None:
    one, two = sources(tmp_path / "one"), sources(tmp_path / "two")
    os.utime(two / "src" / "main.rs", (1, 1))
    (two / "target" / "release" / "large").write_text("another")
    first, _ = written(one)
    assert written(two)[0] == first
    (two / "build.sh").chmod(0o700)
    assert written(two)[0] != first
    (two / "build.sh").chmod(0o755)
    (two / "src" / "main.rs").write_text("fn main() { }\n")
    assert written(two)[0] != first


def test_a_folder_that_is_taken_back_in_is_looked_into(tmp_path: Path) -> None:
    folder = sources(tmp_path / "one")
    (folder / ".dockerignore").write_text("target\n!target/release/large\n")
    assert {"target/release/large", ".env"} <= set(written(folder)[1])


def test_what_is_too_large_is_refused_with_what_leaves_it_out(tmp_path: Path) -> None:
    folder = sources(tmp_path / "one")
    with (folder / "forgotten").open("wb") as file:
        file.truncate(image_context.LIMIT_BYTES + 1)
    with pytest.raises(Refusal, match=r"more than 512 MB: leave out .* by a \.dockerignore"):
        written(folder)


def test_what_is_no_file_folder_or_link_is_named(tmp_path: Path) -> None:
    folder = sources(tmp_path / "one")
    os.mkfifo(folder / "pipe")
    with pytest.raises(Refusal, match="pipe is no file, folder or link"):
        written(folder)
