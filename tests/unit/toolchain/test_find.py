"""An installed engine of the right version is preferred, wherever it is; one of a wrong version is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import find, parts
from toolchain.parts import ENGINE_VERSION, PLUGINS, program_folders, pulumi_homes


def program(folder: Path, name: str, prints: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho {prints}\n")
    path.chmod(0o755)
    return path


def installation(folder: Path, version: str = ENGINE_VERSION) -> Path:
    program(folder, "pulumi", f"v{version}")
    program(folder, "pulumi-language-python")
    program(folder, "pulumi-language-python-exec")
    return folder


def own(root: Path, version: str = ENGINE_VERSION) -> Path:
    return installation(root / ".work" / "toolchain" / "bin", version)


@pytest.fixture(autouse=True)
def no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """These engines come and go: what is remembered of them stays with the test."""
    monkeypatch.setattr(find, "VERSIONS", tmp_path / "versions.json")


def test_an_installed_engine_is_preferred_to_our_own(tmp_path: Path) -> None:
    theirs = installation(tmp_path / "usr" / "bin")
    found = find.programs([theirs], own(tmp_path / "repository"))
    assert {one.path.parent for one in found.values()} == {theirs}
    assert not any(one.ours for one in found.values())


def test_the_first_folder_with_a_right_engine_wins(tmp_path: Path) -> None:
    old, first, second = tmp_path / "old", tmp_path / "first", tmp_path / "second"
    installation(old, "3.100.0")
    installation(first)
    installation(second, "3.300.0")
    assert (
        find.programs([old, first, second], tmp_path / "none" / "toolchain" / "bin")["pulumi"].path == first / "pulumi"
    )


@pytest.mark.parametrize("version", ["3.258.9", "2.300.0", "4.0.0", "nonsense", ""])
def test_an_engine_of_a_wrong_version_is_not_used_and_stays_as_it_is(tmp_path: Path, version: str) -> None:
    theirs = installation(tmp_path / "usr" / "bin", version)
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in theirs.iterdir()}
    ours = own(tmp_path / "repository")
    assert find.programs([theirs], ours)["pulumi"].path == ours / "pulumi"
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in theirs.iterdir()} == before


def test_an_engine_prints_its_version_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "VERSIONS", tmp_path / "versions.json")
    engine = program(tmp_path / "bin", "pulumi", f"v{ENGINE_VERSION}; echo called >>{tmp_path}/called")
    for _ in range(2):
        find.version_of.cache_clear()
        assert find.engine_version(engine) == ENGINE_VERSION
    assert (tmp_path / "called").read_text() == "called\n"
    program(tmp_path / "bin", "pulumi", "v3.100.0 ")
    assert find.engine_version(engine) == "3.100.0"


def test_an_installed_engine_without_its_language_host_is_completed_by_our_own(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "usr" / "bin", own(tmp_path / "repository")
    program(theirs, "pulumi", f"v{ENGINE_VERSION}")
    found = find.programs([theirs], ours)
    assert found["pulumi"].path == theirs / "pulumi"
    assert found["pulumi-language-python"].path == ours / "pulumi-language-python"


def test_a_language_host_of_our_own_for_an_older_engine_does_not_count(tmp_path: Path) -> None:
    assert find.missing(find.programs([], own(tmp_path, "3.200.0"))) == list(parts.PROGRAMS)


def test_a_shim_inside_the_repository_is_no_installed_engine(tmp_path: Path) -> None:
    (tmp_path / ".lab" / "bin").mkdir(parents=True)
    environment = {"PATH": f"{tmp_path}/.lab/bin:/usr/bin", "PULUMI_HOME": f"{tmp_path}/.lab/pulumi-home", "HOME": "/h"}
    assert program_folders(environment, tmp_path) == [Path("/usr/bin"), Path("/h/.pulumi/bin")]
    assert pulumi_homes(environment, tmp_path) == [Path("/h/.pulumi")]


def test_a_plugin_counts_only_with_its_very_version_and_completely_installed(tmp_path: Path) -> None:
    docker = PLUGINS[0]
    program(tmp_path / "plugins" / "resource-docker-v4.0.0", docker.executable)
    assert find.plugin(docker, [tmp_path]) is None
    folder = tmp_path / "plugins" / docker.folder
    program(folder, docker.executable)
    assert find.plugin(docker, [tmp_path]) == folder
    folder.with_name(folder.name + ".partial").touch()
    assert find.plugin(docker, [tmp_path]) is None


def test_an_engine_that_was_missing_a_moment_ago_is_found_once_it_is_there(tmp_path: Path) -> None:
    """A first `make up` on a bare machine searches, builds, and searches again in one process."""
    assert find.programs([], own=tmp_path) == {}
    engine = tmp_path / "pulumi"
    engine.write_text(f"#!/bin/sh\necho v{ENGINE_VERSION}\n")
    engine.chmod(0o755)
    assert find.programs([], own=tmp_path)["pulumi"].version == ENGINE_VERSION
