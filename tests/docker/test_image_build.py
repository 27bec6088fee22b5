"""`images build` on a real Docker engine: once for each content, and a failure that changes nothing says what to do."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hostctl.images.build import packed_files
from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]

DOCKERFILE = "ARG BASE\nFROM ${BASE}\nCOPY folder /laid\nLABEL laid=over\n"
FILES: Mapping[str, str] = {"Dockerfile": DOCKERFILE, "folder/one": "1\n", "folder/two": "2\n"}


@pytest.fixture(scope="module")
def name(host: Host) -> Generator[str]:
    """A name for this run's images, which are gone afterwards."""
    given = f"{host.mark}/laid"
    yield given
    for tag in tags(host, given):
        if tag.startswith(f"{given}:"):
            host.engine.delete(f"/images/{tag}?force=1")


def document(host: Host, name: str, files: Mapping[str, str] = FILES, **values: Any) -> dict[str, Any]:
    base = host.engine.get(f"/images/{host.image}/json")["Id"]
    named = {"name": name, "base": base, "base_name": host.image, "setting": "sentinel.image"}
    return {**named, "files": packed_files(files), "limit_seconds": 60, **values}


def tags(host: Host, name: str) -> set[str]:
    images: list[dict[str, list[str] | None]] = host.engine.get("/images/json")
    return {tag for image in images for tag in image["RepoTags"] or [] if name in tag}


def test_files_are_laid_over_the_base_and_the_second_time_nothing_is_built(host: Host, name: str) -> None:
    request = document(host, name)
    done = host.call("images", "build", request)
    assert "Step 2/5 : FROM ${BASE}" in done.stderr
    first = host.ok("images", "build", **request)
    assert (first["built"], first["image"].startswith(f"{name}:")) == (False, True)
    made = host.engine.get(f"/images/{first['image']}/json")
    assert made["Id"] == first["id"]
    # Ours, by which a job that prunes Docker can spare it.
    assert made["Config"]["Labels"] == {"laid": "over", "sentinel-cutover": "true"}
    base = host.engine.get(f"/images/{host.image}/json")
    assert made["RootFS"]["Layers"][:-1] == base["RootFS"]["Layers"]
    assert made["Config"]["Entrypoint"] == base["Config"]["Entrypoint"]


def test_another_file_or_another_base_is_another_image(host: Host, name: str) -> None:
    one = host.ok("images", "build", **document(host, name))
    changed = host.ok("images", "build", **document(host, name, {**FILES, "folder/one": "another\n"}))
    over = host.ok("images", "build", **document(host, name, base=one["id"], base_name=one["image"]))
    assert changed["built"] and over["built"]
    assert len({one["id"], changed["id"], over["id"]}) == len({one["image"], changed["image"], over["image"]}) == 3


def test_a_build_that_fails_is_reported_by_the_commands_last_lines_and_leaves_no_image(host: Host, name: str) -> None:
    before = tags(host, name), len(host.engine.get("/containers/json?all=1"))
    files = {**FILES, "Dockerfile": f'{DOCKERFILE}RUN ["/no-such-program", "--now"]\n'}
    done = host.call("images", "build", document(host, name, files))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    sentence = next(line for line in done.stderr.splitlines() if line.startswith("hostctl images build: "))
    assert f"cannot be built from {host.image} (" in sentence and "no-such-program" in sentence
    assert "nothing that serves has been touched" in sentence and "#hostctl-images-build" in sentence
    assert done.stderr.splitlines()[-1].strip() and "Step 5/6" in done.stderr.split(sentence)[1]
    assert (tags(host, name), len(host.engine.get("/containers/json?all=1"))) == before


def test_a_base_that_is_gone_is_named_with_the_setting_to_correct(host: Host, name: str) -> None:
    gone = "sha256:" + "0" * 64
    done = host.call("images", "build", document(host, name, base=gone, base_name="sentinel-gateway:0.1.0"))
    assert done.returncode == 1
    assert "its base sentinel-gateway:0.1.0 (sha256:000000000000) is not on the host any more" in done.stderr
    assert "correct sentinel.image" in done.stderr


def test_a_dockerfile_that_docker_does_not_understand_is_one_sentence(host: Host, name: str) -> None:
    done = host.call("images", "build", document(host, name, {"Dockerfile": "ARG BASE\nFROM ${BASE}\nNONSENSE\n"}))
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 2
    assert "unknown instruction: NONSENSE" in done.stderr


def from_context(host: Host, image: str, folder: Path) -> dict[str, Any]:
    return {"image": image, "folder": str(folder), "limit_seconds": 60}


def test_an_image_is_built_from_a_folder_once_and_its_tag_keeps_its_content(
    host: Host, name: str, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {host.image}\nCOPY . /laid\n")
    (tmp_path / ".dockerignore").write_text("target\n")
    (tmp_path / "target").mkdir()
    (tmp_path / "one").write_text("1\n")
    request = from_context(host, f"{name}:0.1.0", tmp_path)
    first = host.ok("images", "build-context", **request)
    (tmp_path / "target" / "left-out").write_text("by .dockerignore\n")
    again = host.ok("images", "build-context", **request)
    assert (first["built"], again) == (True, {**first, "built": False})
    assert host.engine.get(f"/images/{name}:0.1.0/json")["Id"] == first["id"]
    (tmp_path / "one").write_text("2\n")
    refused = host.call("images", "build-context", request)
    assert refused.returncode == 1 and "now builds another image than" in refused.stderr
    assert "give sentinel.image another tag" in refused.stderr
    second = host.ok("images", "build-context", **from_context(host, f"{name}:0.2.0", tmp_path))
    assert second["built"] and second["id"] != first["id"]
    shutil.rmtree(tmp_path)
    assert host.ok("images", "build-context", **request) == {**first, "built": False}


def test_a_folder_that_cannot_be_built_is_refused_in_one_sentence(host: Host, name: str, tmp_path: Path) -> None:
    gone = host.call("images", "build-context", from_context(host, f"{name}:1", tmp_path / "gone"))
    assert "is not a folder on the host" in gone.stderr and "correct sentinel.context" in gone.stderr
    empty = host.call("images", "build-context", from_context(host, f"{name}:1", tmp_path))
    assert "has no Dockerfile: put one there" in empty.stderr
    (tmp_path / "Dockerfile").write_text("NONSENSE\n")
    nonsense = host.call("images", "build-context", from_context(host, f"{name}:1", tmp_path))
    assert "cannot be built from" in nonsense.stderr and "unknown instruction: NONSENSE" in nonsense.stderr
    taken = host.call("images", "build-context", from_context(host, host.image, tmp_path))
    assert "was not built from" in taken.stderr and "another tag" in taken.stderr
    assert [done.returncode for done in (gone, empty, nonsense, taken)] == [1] * 4
