"""A retirement is allowed by the journal of handovers and the restore drill's file; a refusal is a sentence."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from hostctl.handover.journal import Journal
from hostctl.retire import preconditions

DAY = 86400


def at(days_ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - days_ago * DAY)) + ".000Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "nightly").mkdir()
    (tmp_path / "handover" / "finished").mkdir(parents=True)
    return tmp_path


def handed_over(folder: Path, days_ago: float, came_from: str, verb: str = "cutover") -> None:
    """An ended handover as the journal keeps it."""
    opening = {"verb": verb, "at": at(days_ago), "from": {"kind": came_from}, "point": f"{verb}.begin"}
    stamp = at(days_ago).replace(":", "").replace(".", "")
    (folder / "handover" / "finished" / f"{stamp}-{verb}-done.jsonl").write_text(json.dumps(opening) + "\n")
    active = "sentinel" if verb == "cutover" else "contextforge"
    (folder / "handover" / "state.json").write_text(json.dumps({"active": active, "at": at(days_ago)}))


def restored(folder: Path, days_ago: float) -> None:
    """A restore drill that was good, as the nightly job records it."""
    result = {"result": "good", "at": at(days_ago), "last_good": {"at": at(days_ago)}}
    (folder / "nightly" / "restore-drill.json").write_text(json.dumps(result))


def refused(folder: Path, days: int = 14) -> list[str]:
    sentences, _ = preconditions.refusals(preconditions.read(str(folder)), days)
    return sentences


def test_days_and_a_proof_after_the_cutover_let_it_go(folder: Path) -> None:
    handed_over(folder, 15, "contextforge")
    restored(folder, 2)
    assert refused(folder) == []


def test_too_early_names_the_day_from_which_it_may(folder: Path) -> None:
    handed_over(folder, 3, "contextforge")
    restored(folder, 2)
    (sentence,) = refused(folder)
    assert f"allowed from {at(3 - 14)[:10]}" in sentence
    assert "predecessor.retire_days is 14" in sentence


@pytest.mark.parametrize("proof", [None, 20.0], ids=["no-proof", "a-proof-of-before-the-cutover"])
def test_without_a_proof_since_the_cutover_it_stays(folder: Path, proof: float | None) -> None:
    handed_over(folder, 15, "contextforge")
    if proof:
        restored(folder, proof)
    (sentence,) = refused(folder)
    assert "no backup of Sentinel's database has passed a restore drill" in sentence
    assert f"allowed from {at(0)[:10]}" in sentence


def test_a_new_version_of_sentinel_is_no_rollback(folder: Path) -> None:
    handed_over(folder, 15, "contextforge")
    handed_over(folder, 1, "sentinel")
    restored(folder, 2)
    assert refused(folder) == []


def test_a_rollback_begins_the_count_anew(folder: Path) -> None:
    handed_over(folder, 40, "contextforge")
    handed_over(folder, 10, "sentinel", verb="rollback")
    handed_over(folder, 5, "contextforge")
    restored(folder, 2)
    (sentence,) = refused(folder)
    assert at(5)[:10] in sentence


def test_what_serves_is_not_retired(folder: Path) -> None:
    assert "cut over first" in refused(folder)[0]
    handed_over(folder, 20, "contextforge")
    handed_over(folder, 1, "sentinel", verb="rollback")
    assert "cut over first" in refused(folder)[0]


def test_a_handover_that_was_cut_off_is_ended_first(folder: Path) -> None:
    handed_over(folder, 20, "contextforge")
    Journal(str(folder / "handover")).begin({"verb": "cutover", "container": "x", "from": {}, "to": {}, "request": {}})
    (sentence,) = refused(folder)
    assert "was cut off: `make up` ends it" in sentence


def test_the_operators_script_that_names_a_container_is_named(tmp_path: Path) -> None:
    script = tmp_path / "nightly.sh"
    script.write_text("docker exec forge-postgres-1 pg_dump\n")
    assert "names forge-postgres-1" in preconditions.script_note(str(script), ["forge-postgres-1", "forge-redis-1"])
    assert preconditions.script_note(str(script), ["forge-redis-1"]) == ""
    assert preconditions.script_note(str(tmp_path / "none"), ["forge-redis-1"]) == ""
