"""The operator sees which step lasts how long, what failed and where its log is; nothing outlives Ctrl-C."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from console.paths import ROOT
from console.progress import LongStep, Progress, Step, StepFailed


def test_plain_lines_report_begin_every_interval_and_end(tmp_path: Path) -> None:
    reported_twice = threading.Event()

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            written = super().write(text)
            if self.getvalue().count("so far") >= 2:
                reported_twice.set()
            return written

    out = Out()
    with Progress(tmp_path, out, report_every=0.01).step("engine") as step:
        step.say("compiling")
        assert reported_twice.wait(10)
    lines = out.getvalue().splitlines()
    assert lines[0] == "engine …"
    assert any(re.fullmatch(r"engine: \d+\.\d s so far \(compiling\)", line) for line in lines)
    assert re.fullmatch(r"engine: done in \d+\.\d s", lines[-1])
    assert "\033" not in out.getvalue() and "\r" not in out.getvalue()


def test_a_failure_shows_the_end_of_its_log_and_where_it_is(tmp_path: Path) -> None:
    out = io.StringIO()
    with pytest.raises(StepFailed, match="exit code 3") as failed, Progress(tmp_path, out).step("image") as step:
        step.call(["sh", "-c", "for n in $(seq 40); do echo line $n; done; exit 3"])
    assert str(tmp_path / "image.log") in str(failed.value)
    assert "line 40" in out.getvalue() and "line 20\n" not in out.getvalue()


def test_steps_run_side_by_side_and_the_first_error_is_raised_after_all_have_ended(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=10)
    ended: list[str] = []

    def good(step: Step) -> None:
        both.wait()
        ended.append(step.name)

    def bad(step: Step) -> None:
        both.wait()
        step.call(["false"])

    with pytest.raises(StepFailed, match="bad"):
        Progress(tmp_path, io.StringIO()).side_by_side([LongStep("good", good), LongStep("bad", bad)])
    assert ended == ["good"]


INTERRUPTED = """
import sys
import time
from pathlib import Path
from console.progress import LongStep, Progress

class Busy(Progress):
    # It notes a child only after Ctrl-C has come.
    def owning(self, child):
        while not self._ending:
            time.sleep(0.01)
        time.sleep(0.3)
        return super().owning(child)

def sleep(step):
    step.call(["sh", "-c", 'echo $$ >"$0"; exec sleep 600', sys.argv[2]])

try:
    (Busy if sys.argv[3:] else Progress)(Path(sys.argv[1])).side_by_side([LongStep("sleeping", sleep)])
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("late", [[], ["late"]])
def test_ctrl_c_ends_the_children_that_were_started(tmp_path: Path, late: list[str]) -> None:
    """Also one that a busy machine had started and not yet noted when Ctrl-C came."""
    announced = tmp_path / "pid"
    os.mkfifo(announced)
    running = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path), str(announced), *late], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    child = int(announced.read_text())
    running.send_signal(signal.SIGINT)
    assert running.wait(20) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
