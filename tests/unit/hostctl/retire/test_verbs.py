"""When ContextForge may go: by the handover's own journal and the restore drill's own file; a refusal is a sentence."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from hostctl import retire
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.handover.journal import Journal
from hostctl.predecessor import rollback_check
from hostctl.retire import final_dump, preconditions

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
    """A restore drill that was good, as the nightly job notes it."""
    said = {"result": "good", "at": at(days_ago), "last_good": {"at": at(days_ago)}}
    (folder / "nightly" / "restore-drill.json").write_text(json.dumps(said))


def refused(folder: Path, days: int = 14) -> list[str]:
    found, _ = preconditions.refusals(preconditions.read(str(folder)), Document({"days": days}))
    return found


def test_days_and_a_proof_after_the_cutover_let_it_go(folder: Path) -> None:
    handed_over(folder, 15, "predecessor")
    restored(folder, 2)
    assert refused(folder) == []


def test_too_early_names_the_day_from_which_it_may(folder: Path) -> None:
    handed_over(folder, 3, "predecessor")
    restored(folder, 2)
    (told,) = refused(folder)
    assert f"allowed from {at(3 - 14)[:10]}" in told
    assert "predecessor.retire_days is 14" in told


@pytest.mark.parametrize("proof", [None, 20.0], ids=["no-proof", "a-proof-of-before-the-cutover"])
def test_without_a_proof_since_the_cutover_it_stays(folder: Path, proof: float | None) -> None:
    handed_over(folder, 15, "predecessor")
    if proof:
        restored(folder, proof)
    (told,) = refused(folder)
    assert "no backup of Sentinel's database has been restored" in told
    assert f"allowed from {at(0)[:10]}" in told


def test_a_new_version_of_sentinel_is_no_rollback(folder: Path) -> None:
    handed_over(folder, 15, "predecessor")
    handed_over(folder, 1, "sentinel")
    restored(folder, 2)
    assert refused(folder) == []


def test_a_rollback_begins_the_count_anew(folder: Path) -> None:
    handed_over(folder, 40, "predecessor")
    handed_over(folder, 10, "sentinel", verb="rollback")
    handed_over(folder, 5, "predecessor")
    restored(folder, 2)
    (told,) = refused(folder)
    assert at(5)[:10] in told


def test_what_serves_is_not_retired(folder: Path) -> None:
    assert "cut over first" in refused(folder)[0]
    handed_over(folder, 20, "predecessor")
    handed_over(folder, 1, "sentinel", verb="rollback")
    assert "cut over first" in refused(folder)[0]


def test_a_handover_that_was_cut_off_is_ended_first(folder: Path) -> None:
    handed_over(folder, 20, "predecessor")
    Journal(str(folder / "handover")).begin({"verb": "cutover", "container": "x", "from": {}, "to": {}, "request": {}})
    (told,) = refused(folder)
    assert "was cut off: `make up` ends it" in told


def test_the_operators_script_that_names_a_container_is_told(tmp_path: Path) -> None:
    script = tmp_path / "nightly.sh"
    script.write_text("docker exec forge-postgres-1 pg_dump\n")
    assert "names forge-postgres-1" in preconditions.note_of(str(script), ["forge-postgres-1", "forge-redis-1"])
    assert preconditions.note_of(str(script), ["forge-redis-1"]) == ""
    assert preconditions.note_of(str(tmp_path / "none"), ["forge-redis-1"]) == ""


def test_files_are_kept_for_the_owner_alone_before_they_go(tmp_path: Path) -> None:
    there, kept = tmp_path / "forge", tmp_path / "retired"
    there.mkdir()
    (there / ".env").write_text("KEY=1\n")
    (there / "theirs").write_text("theirs")
    final_dump.make_folder(str(kept))
    answer = final_dump.keep_files(str(kept), [str(there / ".env")])
    tar = Path(answer["path"])
    assert (tar.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o600, 0o700)
    again = final_dump.keep_files(str(kept), [])
    assert again["path"] == answer["path"]


def noted(folder: Path, values: dict[str, Any]) -> None:
    (folder / "retired").mkdir()
    (folder / "retired" / "retirement.json").write_text(json.dumps(values))


def test_a_retired_contextforge_is_no_rollback(tmp_path: Path) -> None:
    noted(tmp_path, {"begun_at": at(1), "removed_at": at(1), "kept": {"dump": {"path": "/srv/last.dump"}}})
    with pytest.raises(Refusal, match=r"was retired at .*/srv/last\.dump"):
        rollback_check.check(Document({"docker_socket": "/nowhere", "retired_folder": str(tmp_path)}))


def test_nothing_is_removed_before_it_was_written_down(tmp_path: Path) -> None:
    document = Document({"docker_socket": "/nowhere", "folder": str(tmp_path)})
    with pytest.raises(Refusal, match="run 'retire begin' first"):
        retire.remove(document)
    with pytest.raises(Refusal, match="run 'retire dump' first"):
        retire.begin(document)


def test_a_torn_note_is_refused_and_not_taken_for_none(tmp_path: Path) -> None:
    noted(tmp_path, {})
    (tmp_path / "retired" / "retirement.json").write_text("{")
    with pytest.raises(Refusal, match="is no JSON"):
        retire.note(str(tmp_path))
