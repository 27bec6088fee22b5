"""The record of a retirement: nothing is removed without it, and nothing rolls back after it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from hostctl import retire
from hostctl.core.errors import Refusal
from hostctl.predecessor import rollback_check
from hostctl.predecessor.rollback_check import RollbackCheckRequest
from hostctl.retire.request import RetireRequest

DAY = 86400


def at(days_ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - days_ago * DAY)) + ".000Z"


def written(folder: Path, values: dict[str, Any]) -> None:
    (folder / "retired").mkdir()
    (folder / "retired" / "retirement.json").write_text(json.dumps(values))


def test_a_retired_contextforge_is_no_rollback(tmp_path: Path) -> None:
    written(tmp_path, {"begun_at": at(1), "removed_at": at(1), "kept": {"dump": {"path": "/srv/last.dump"}}})
    with pytest.raises(Refusal, match=r"was retired at .*/srv/last\.dump"):
        rollback_check.check(RollbackCheckRequest(docker_socket="/nowhere", retired_folder=str(tmp_path)))


def test_nothing_is_removed_before_it_was_recorded(tmp_path: Path) -> None:
    request = RetireRequest(str(tmp_path), "/root", "forge", "forge-gateway-1", 9200, 14, docker_socket="/nowhere")
    with pytest.raises(Refusal, match="run 'retire begin' first"):
        retire.remove(request)
    with pytest.raises(Refusal, match="run 'retire dump' first"):
        retire.begin(request)


def test_a_torn_record_is_refused_and_not_taken_for_none(tmp_path: Path) -> None:
    written(tmp_path, {})
    (tmp_path / "retired" / "retirement.json").write_text("{")
    with pytest.raises(Refusal, match="is not JSON"):
        retire.recorded(str(tmp_path))
