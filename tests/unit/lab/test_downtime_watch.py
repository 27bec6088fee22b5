"""The independent watch counts every gap, or only those of the periods that it watches closely."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.downtime_watch import Watch


def closely(file: Path, *turns: float) -> Watch:
    """A watch that saw the file come and go in turn at these moments."""
    watch = Watch(9200, [], closely_while=str(file))
    for number, moment in enumerate(turns):
        file.unlink() if number % 2 else file.touch()
        assert watch.is_close(moment) is (number % 2 == 0)
    return watch


def test_without_a_file_every_gap_counts_in_whatever_order_the_answers_came() -> None:
    watch = Watch(9200, [])
    assert watch.is_close(1.0)
    watch.good += [3.0, 1.0, 1.5]
    assert watch.longest_gap() == 1.5


def test_with_a_file_the_time_in_which_it_asks_seldom_is_no_gap(tmp_path: Path) -> None:
    watch = closely(tmp_path / "journal", 2.0, 5.0)
    watch.good += [1.0, 2.1, 3.9, 4.0, 5.5, 9.0]
    assert watch.longest_gap() == pytest.approx(1.8)


def test_while_a_gateway_starts_or_ends_beside_the_one_that_serves_it_requests_seldom(tmp_path: Path) -> None:
    journal, found = tmp_path / "journal", list[bool]()
    watch = Watch(9200, [], closely_while=str(journal))
    for moment, point in enumerate(("cutover.begin", "cutover.standby.start", "cutover.prepare.disconnect",
                                    "cutover.finish.connect", "cutover.finish.stop")):  # fmt: skip
        with journal.open("a") as file:
            file.write(f'{{"point": "{point}"}}\n')
        found.append(watch.is_close(float(moment)))
    assert found == [False, False, True, True, False] and watch.close == [(2.0, 4.0)]


def test_a_gap_that_outlives_the_file_ends_with_the_first_answer_after_it(tmp_path: Path) -> None:
    watch = closely(tmp_path / "journal", 2.0, 5.0)
    watch.good += [1.9, 2.1, 7.0, 7.5]
    assert watch.longest_gap() == pytest.approx(4.9)


def test_every_gap_with_a_failed_attempt_is_silence_and_a_slow_answer_is_none(tmp_path: Path) -> None:
    watch = closely(tmp_path / "journal", 2.0, 5.0)
    watch.good += [1.9, 2.1, 2.6, 3.0, 4.0, 4.5, 5.5]
    watch.bad += [1.0, 2.3, 3.5, 3.6, 6.0]
    assert watch.silent() == pytest.approx(1.5)
    assert watch.longest_gap() == pytest.approx(1.0)


def test_nobody_who_answered_since_the_file_came_is_a_gap_from_there_on(tmp_path: Path) -> None:
    watch = closely(tmp_path / "journal", 2.0, 5.0, 8.0, 9.0)
    watch.good += [1.9, 4.0, 4.5, 5.2, 8.1, 8.8, 9.1]
    assert watch.longest_gap() == pytest.approx(2.0)
