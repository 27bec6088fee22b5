"""Workers on the host: one process for a command's questions, another for a question at the same time, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from console.paths import ROOT
from ops.engine import workers

Started = tuple[list[str], Callable[[], list[int]]]
QUESTION = (["handover", "back"], "{}", 30.0)


@pytest.fixture
def started(tmp_path: Path) -> Generator[Started]:
    """A command line of a worker, and the process ids of those that it has started."""
    note = tmp_path / "started"
    note.touch()
    script = f'echo $$ >> {note}; exec "$@"'
    command = ["sh", "-c", script, "worker", sys.executable, *workers.PROGRAM]
    yield command, lambda: [int(line) for line in note.read_text().split()]
    workers.close()


def test_one_process_answers_a_commands_questions(started: Started) -> None:
    command, processes = started
    answers = [workers.answer(command, *QUESTION) for _ in range(3)]
    assert len(processes()) == 1
    assert {(one.code, one.stdout) for one in answers} == {(1, "")}
    assert all(one.stderr.startswith("hostctl handover back: ") for one in answers)


def test_questions_at_once_have_a_worker_each(started: Started, tmp_path: Path) -> None:
    command, processes = started
    slow = tmp_path / "slow"
    os.mkfifo(slow)
    first = threading.Thread(
        target=workers.answer, args=(command, ["token", "show"], f'{{"path": "{slow}"}}', 30.0), daemon=True
    )
    first.start()
    writing = slow.open("w")
    workers.answer(command, *QUESTION)
    writing.close()
    first.join(30)
    assert not first.is_alive() and len(set(processes())) == 2


def test_a_worker_that_ended_is_replaced(started: Started) -> None:
    command, processes = started
    workers.answer(command, *QUESTION)
    os.kill(processes()[0], signal.SIGKILL)
    os.waitid(os.P_PID, processes()[0], os.WEXITED | os.WNOWAIT)
    assert workers.answer(command, *QUESTION).code == 1
    assert len(processes()) == 2


def test_a_process_that_ends_without_an_answer_has_its_own_words_for_one() -> None:
    answer = workers.answer(["sh", "-c", "read line; echo ssh: no route >&2; exit 255"], *QUESTION)
    assert (answer.code, answer.stderr) == (255, "ssh: no route\n")
    assert workers.answer(["sh", "-c", "exit 0"], *QUESTION).code


def test_a_question_has_its_limit_and_the_worker_is_not_used_again(tmp_path: Path) -> None:
    note = tmp_path / "process"
    with pytest.raises(TimeoutError):
        workers.answer(["sh", "-c", f"echo $$ > {note}; exec sleep 60"], ["handover", "back"], "{}", 0.3)
    assert not Path(f"/proc/{note.read_text().strip()}").exists()


ONE_QUESTION = f"""
import sys
from ops.engine import workers
workers.answer([sys.executable, *workers.PROGRAM], *{QUESTION!r})
print(next(iter(workers._idle.values()))[0]._process.pid)
"""


def test_no_worker_outlives_its_command() -> None:
    ran = subprocess.run([sys.executable, "-c", ONE_QUESTION], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not Path(f"/proc/{ran.stdout.strip()}").exists()
