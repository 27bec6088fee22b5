"""A fleet on the real engine: waves, a broken second wave, the command that goes on, and Ctrl-C in the middle."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from console.paths import ROOT
from tests.engine.fleet_driver import driven, make_fleet
from tests.engine.test_run import pytestmark

__all__ = ["pytestmark"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_fleet(tmp_path, *"abcd")
    return tmp_path


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        driven(folder, *words), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def document(running: subprocess.Popen[str]) -> dict[str, Any]:
    said, shown = running.communicate(timeout=180)
    assert said, shown
    return json.loads(said)


def results(done: dict[str, Any]) -> list[str]:
    return [host["result"] for host in done["hosts"]]


def test_a_broken_second_wave_stops_the_fleet_and_the_named_command_goes_on(folder: Path) -> None:
    (folder / "broken-b").touch()
    done = document(start(folder, "fleet-up", "--stack", *"abcd", "--at-once", "1", "--yes", "--json"))
    assert results(done) == ["ok", "failed", "not started", "not started"]
    assert done["hosts"][0]["downtime_ms"] == 41 and "b is broken: repair it." in done["hosts"][1]["error"]
    (folder / "broken-b").unlink()
    _, command, *options = shlex.split(done["next"])
    chosen = dict(option.split("=") for option in options)
    again = start(
        folder, command, "--stack", *chosen["STACKS"].split(), "--at-once", chosen["AT_ONCE"], "--yes", "--json"
    )
    done = document(again)
    assert done["ok"] and [host["stack"] for host in done["hosts"]] == ["b", "c", "d"]
    events = (folder / "events").read_text().split("\n")[:-1]
    assert events == [f"{word} {stack}" for stack in "abbcd" for word in ("begin", "end")]


def test_ctrl_c_ends_every_engine_in_order_and_the_next_run_finishes(folder: Path) -> None:
    for stack in "bc":
        os.mkfifo(folder / f"gate-{stack}")
    running = start(folder, "fleet-up", "--stack", *"abcd", "--at-once", "2", "--yes", "--json")
    gates = [(folder / f"gate-{stack}").open("w") for stack in "bc"]
    running.send_signal(signal.SIGINT)
    done = document(running)
    for gate in gates:
        gate.close()
    assert running.returncode == 130 and results(done) == ["ok", "interrupted", "interrupted", "not started"]
    assert not list((folder / ".state").rglob("locks/**/*.json"))
    for stack in "bc":
        (folder / f"gate-{stack}").unlink()
    assert document(start(folder, "fleet-up", "--stack", *"bcd", "--at-once", "3", "--yes", "--json"))["ok"]
