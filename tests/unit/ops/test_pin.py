"""`make pin` writes the registry's digests into the stack's file and changes nothing else of it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from console.errors import UserError
from console.progress import Progress
from lab.doubles import registry
from ops.commands import pin
from ops.commands.pin import Reference

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
FILE = """# The operator's VPS.
config:
  sentinel-cutover:postgres:
    image: {host}/library/postgres:16@sha256:{zeros}  # check
  sentinel-cutover:sentinel:
    image: {host}/own:0.1.0
    port: 9200
"""


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(tmp_path / "log", out=io.StringIO())


def test_digests_are_written_and_every_other_byte_stays(tmp_path: Path, progress: Progress) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    with registry.serving({"library/postgres:16": ONE, "own:0.1.0": TWO}) as host:
        file.write_text(FILE.format(host=host, zeros="0" * 64))
        first = pin.pin("prod", progress, tmp_path)
        expected = FILE.format(host=host, zeros="1" * 64).replace("own:0.1.0", f"own:0.1.0@{TWO}")
        assert file.read_text() == expected
        again = pin.pin("prod", progress, tmp_path)
    assert [row["result"] for row in first.document["images"]] == ["pinned", "pinned"]
    assert [row["result"] for row in again.document["images"]] == ["same", "same"]
    assert (first.ok, again.ok) == (True, True)


def test_what_a_registry_does_not_have_stays_as_it_is_and_the_result_is_not_ok(
    tmp_path: Path, progress: Progress
) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    with registry.serving({"library/postgres:16": ONE}) as host:
        file.write_text(FILE.format(host=host, zeros="0" * 64))
        result = pin.pin("prod", progress, tmp_path)
    assert result.ok is False
    assert result.document["images"][1]["reason"] == f"{host} answered 404 for own:0.1.0"
    assert f"image: {host}/own:0.1.0\n" in file.read_text()


def test_a_registry_that_nobody_reaches_is_reported_with_its_name(tmp_path: Path, progress: Progress) -> None:
    with registry.serving({}) as host:
        pass
    (tmp_path / "Pulumi.prod.yaml").write_text(f"    image: {host}/own:1\n")
    (row,) = pin.pin("prod", progress, tmp_path).document["images"]
    assert row["reason"].startswith(f"{host} cannot be reached from here (")


def test_an_answer_without_a_digest_is_no_digest(tmp_path: Path) -> None:
    with registry.serving({"own:1": "latest"}) as host, pytest.raises(pin.Unknown, match="gave no digest for own:1"):
        pin.digest(f"{host}/own:1")


def test_a_stack_without_a_file_is_refused(tmp_path: Path, progress: Progress) -> None:
    with pytest.raises(UserError, match=r"There is no Pulumi\.nowhere\.yaml"):
        pin.pin("nowhere", progress, tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("postgres:16", Reference("registry-1.docker.io", "library/postgres", "16")),
        ("prom/prometheus:v3", Reference("registry-1.docker.io", "prom/prometheus", "v3")),
        ("ghcr.io/own/gateway:1", Reference("ghcr.io", "own/gateway", "1")),
        ("localhost:5000/gateway", Reference("localhost:5000", "gateway", "latest")),
    ],
)
def test_a_name_is_taken_apart_by_dockers_rule(name: str, expected: Reference) -> None:
    assert Reference.of(name) == expected


def test_every_image_of_the_operators_file_has_a_digest_to_refresh() -> None:
    text = (pin.ROOT / "Pulumi.prod.yaml").read_text()
    found = list(pin._IMAGE.finditer(text))  # pyright: ignore[reportPrivateUsage]
    assert len(found) == text.count("\n    image:") >= 4
    built = pin._built(text)  # pyright: ignore[reportPrivateUsage]
    assert {one["name"] for one in found if "@sha256:" not in one[0]} == built == {"sentinel-gateway:0.1.0"}


def test_an_image_that_the_host_builds_is_requested_of_no_registry(tmp_path: Path, progress: Progress) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text("config:\n  p:sentinel:\n    image: own:1\n    context: /sources\n")
    result = pin.pin("prod", progress, tmp_path)
    assert (result.ok, result.document["images"]) == (True, [])
