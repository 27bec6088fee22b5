"""`images build-context` with a stand-in for Docker's command line: its errors and its time limit."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hostctl.core.errors import Refusal
from hostctl.images import build_context
from hostctl.images.build_context import BuildContextRequest


class NoImages:
    """An engine that has none."""

    path = "/run/docker.sock"

    def __init__(self, path: str) -> None: ...

    def find(self, path: str) -> None: ...


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildContextRequest:
    """A folder that can be built, and a PATH whose first folder is empty."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(build_context, "Engine", NoImages)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return BuildContextRequest("operator/sentinel:1", str(tmp_path / "sources"), 60, "/run/docker.sock")


def docker(tmp_path: Path, script: str) -> None:
    (tmp_path / "bin" / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin" / "docker").chmod(0o755)


def test_a_host_without_dockers_command_line_is_refused_in_one_sentence(
    sources: BuildContextRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(Refusal, match=r"no `docker` command, .*: install .* or .* unset sentinel.context"):
        build_context.build(sources)


def test_a_build_that_fails_is_named_by_its_last_line_with_those_before(
    sources: BuildContextRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker(tmp_path, "echo 'Step 1/2 : RUN make'; echo 'printed by make'; echo 'make: no rule' >&2; exit 1")
    with pytest.raises(Refusal) as caught:
        build_context.build(sources)
    sentence, *lines = str(caught.value).splitlines()
    assert f"cannot be built from {sources.folder} (make: no rule): fix what its last lines say" in sentence
    assert lines == ["Step 1/2 : RUN make", "printed by make", "make: no rule"]
    shown = capsys.readouterr().err
    assert "Step 1/2" in shown and "printed by make" not in shown


def test_a_build_that_does_not_end_is_given_up_with_everything_that_it_started(
    sources: BuildContextRequest, tmp_path: Path
) -> None:
    docker(tmp_path, "sleep 300 & wait")
    began = time.monotonic()
    with pytest.raises(Refusal, match="was not built within 1 s and was stopped: run again"):
        build_context.build(replace(sources, limit_seconds=1))
    assert time.monotonic() - began < 30
