"""A worker gives the answers of single runs, needs no disk, and Ctrl-C ends the verb at work alone."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hostctl.build import WORKING, archive
from hostctl.core.packing import packed

QUESTIONS = [
    (["claude", "check"], '{"file": "claude.json", "entry": "x"}'),
    (["token", "show"], '{"path": "none"}'),
    (["token", "show"], "no JSON"),
    (["no", "verb"], "{}"),
    (["handover", "back"], ""),
]


class Worker:
    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", WORKING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "TMPDIR": "/nowhere"},
        )
        self.send(packed(archive()))

    def send(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def request(self, verb: list[str], document: str) -> None:
        self.send(json.dumps({"verb": verb, "document": document}).encode())

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def worker(tmp_path: Path) -> Any:
    started = Worker(tmp_path)
    with started.process:
        yield started
        assert started.process.stdin
        started.process.stdin.close()
        assert started.process.wait(10) == 0


def test_each_answer_is_that_of_a_single_run(worker: Worker, archive: Path, tmp_path: Path) -> None:
    for verb, document in QUESTIONS:
        single = subprocess.run(
            [sys.executable, "-I", "-S", archive, *verb], input=document, capture_output=True, text=True, cwd=tmp_path
        )
        worker.request(verb, document)
        answer = worker.answer()
        assert (answer["code"], answer["stdout"]) == (single.returncode, single.stdout)
        own, alone = (text.replace(str(archive), "PROGRAM") for text in (answer["stderr"], single.stderr))
        assert own.split()[:3] == alone.split()[:3]


def test_ctrl_c_ends_the_verb_at_work_and_leaves_the_worker(worker: Worker, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    os.mkfifo(slow)
    worker.request(["token", "show"], json.dumps({"path": str(slow)}))
    with slow.open("w"):
        children = Path(f"/proc/{worker.process.pid}/task/{worker.process.pid}/children").read_text().split()
        assert worker.process.stdout
        # Again, since Python hears nothing of a signal that comes just before a call that waits.
        while not select.select([worker.process.stdout], [], [], 0.2)[0]:
            for process in (worker.process.pid, *map(int, children)):
                os.kill(process, signal.SIGINT)
        ended = worker.answer()
    assert ended["code"] == 1 and ended["stderr"] == "hostctl token show: KeyboardInterrupt: \n"
    worker.request(["no", "verb"], "{}")
    assert worker.answer()["code"] == 2
