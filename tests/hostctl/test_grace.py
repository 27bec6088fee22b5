"""The kernel's switch for short grace periods: on for the window, as it was after it, and never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostctl.handover import grace


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of the kernel's own, whose writing needs root."""
    found = tmp_path / "rcu_expedited"
    found.write_text("0\n")
    monkeypatch.setattr(grace, "SWITCH", str(found))
    return found


def test_it_is_on_within_and_off_after_it_also_when_the_window_fails(file: Path) -> None:
    with pytest.raises(ZeroDivisionError), grace.expedited(grace.switch()):
        assert grace.switch() == "1"
        raise ZeroDivisionError
    assert grace.switch() == "0"


def test_what_a_killed_run_left_on_goes_off_since_its_journal_knows_how_it_was(file: Path) -> None:
    file.write_text("1\n")
    with grace.expedited("0"):
        assert grace.switch() == "1"
    assert grace.switch() == "0"


@pytest.mark.parametrize("before", ["1", "", "2"])
def test_on_already_or_not_known_it_is_left_alone(file: Path, before: str) -> None:
    file.write_text("untouched")
    with grace.expedited(before):
        assert grace.switch() == "untouched"
    assert grace.switch() == "untouched"


def test_where_there_is_none_or_it_may_not_be_written_the_window_goes_on(file: Path) -> None:
    file.unlink()
    file.mkdir()
    assert grace.switch() == ""
    ran = False
    with grace.expedited("0"):
        ran = True
    assert ran
