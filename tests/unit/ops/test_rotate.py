"""`make rotate`: its report, and that a refused run leaves the old secret where it was."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from console.errors import UserError
from console.progress import Progress
from console.result import Result
from ops.commands import rotate
from ops.engine import orphans
from ops.engine.run import EngineFailed
from settings import SECRET_KEYS


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(tmp_path: Path, said: io.StringIO) -> Progress:
    return Progress(tmp_path / "log", out=said)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack's file; the engine's two commands only note what they were given."""
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text("old")

    def handover(stack: str, progress: Progress) -> dict[str, str]:
        return {"at": "then"}

    def set_secret(stack: str, key: str, value: str, run: object) -> None:
        path.write_text(f"{key}={value}")

    monkeypatch.setattr(rotate, "ROOT", tmp_path)
    monkeypatch.setattr(orphans, "WORK", tmp_path / "work")
    monkeypatch.setattr(rotate, "_handover", handover)
    monkeypatch.setattr(rotate, "set_secret", set_secret)
    return path


def deploying(monkeypatch: pytest.MonkeyPatch, outcome: Any, begins: bool = False) -> None:
    def up(stack: str, progress: Progress, *, yes: bool) -> Result:
        if begins:
            orphans.note_beginning(stack)
        if isinstance(outcome, Exception):
            raise outcome
        return Result({"outputs": {"handover": outcome}}, "deployed")

    monkeypatch.setattr(rotate, "up", up)


def test_every_secret_has_its_cost() -> None:
    assert set(rotate.COSTS) == set(SECRET_KEYS)


def test_the_cost_is_reported_before_and_the_downtime_after(
    file: Path, progress: Progress, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploying(monkeypatch, {"at": "now", "downtime_ms": 87})
    result = rotate.rotate("prod", progress, secret="jwt_secret", yes=True)
    assert "Rotating jwt_secret: a new Sentinel takes the port" in said.getvalue()
    assert result.text.endswith("jwt_secret: downtime 87 ms; the old value no longer works")
    assert result.document["downtime_ms"] == 87
    assert len(file.read_text().removeprefix("jwt_secret=")) == 64


def test_no_handover_is_no_downtime(file: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    deploying(monkeypatch, {"at": "then", "downtime_ms": 300})
    result = rotate.rotate("prod", progress, secret="grafana_admin_password", yes=True)
    assert result.document["downtime_ms"] == 0
    assert "the port was not touched" in result.text


@pytest.mark.parametrize("key", ["", "none_such"])
def test_a_name_that_is_no_secret_is_refused(file: Path, progress: Progress, key: str) -> None:
    with pytest.raises(UserError, match="names no secret: give SECRET= one of jwt_secret, postgres_password"):
        rotate.rotate("prod", progress, secret=key, yes=True)


def test_without_an_answer_nothing_changes(file: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(UserError, match="pass YES=1 to continue"):
        rotate.rotate("prod", progress, secret="jwt_secret", yes=False)
    assert file.read_text() == "old"


def test_a_secret_that_only_its_issuer_can_give_is_read_and_not_made(
    file: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploying(monkeypatch, {})
    monkeypatch.setattr("sys.stdin", io.StringIO("given-by-exa\n"))
    rotate.rotate("prod", progress, secret="exa_api_key", yes=True)
    assert file.read_text() == "exa_api_key=given-by-exa"
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(UserError, match="exa_api_key is given by its issuer"):
        rotate.rotate("prod", progress, secret="exa_api_key", yes=True)


def test_what_is_refused_before_the_engine_runs_leaves_the_old_secret(
    file: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploying(monkeypatch, UserError("the host moved"))
    with pytest.raises(UserError, match="the host moved"):
        rotate.rotate("prod", progress, secret="jwt_secret", yes=True)
    assert file.read_text() == "old"


def test_a_refusal_after_the_engine_has_begun_keeps_the_new_secret(
    file: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's sentence on the handover, say: by then the database may have the new password."""
    deploying(monkeypatch, UserError("hostctl handover cutover: the container is gone."), begins=True)
    with pytest.raises(UserError, match=r"the container is gone\. Fix that, then run `make up STACK=prod` to continue"):
        rotate.rotate("prod", progress, secret="postgres_password", yes=True)
    assert file.read_text().startswith("postgres_password=")


def test_a_run_that_failed_in_between_keeps_the_new_secret_and_says_how_to_go_on(
    file: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploying(monkeypatch, EngineFailed("pulumi up of stack prod failed: no space."))
    with pytest.raises(UserError) as failed:
        rotate.rotate("prod", progress, secret="jwt_secret", yes=True)
    assert str(failed.value).endswith("failed: no space. Fix that, then run `make up STACK=prod` to continue.")
    assert file.read_text().startswith("jwt_secret=")
