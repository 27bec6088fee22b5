"""Two commands on one stack do not make its sandbox at the same time: the second waits, and says for what."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from console.progress import Progress
from ops.engine import prerequisites


def test_the_second_command_waits_for_the_first_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "WORK", tmp_path)
    said = threading.Event()
    order: list[str] = []

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            if "waiting for it" in text:
                said.set()
            return super().write(text)

    def second() -> None:
        with prerequisites.alone("lab", Progress(tmp_path / "log", Out())):
            order.append("second")

    waiting = threading.Thread(target=second)
    with prerequisites.alone("lab", Progress(tmp_path / "log", io.StringIO())):
        waiting.start()
        assert said.wait(10)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


def test_commands_on_different_stacks_do_not_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "WORK", tmp_path)
    out = io.StringIO()
    progress = Progress(tmp_path / "log", out)
    with prerequisites.alone("lab", progress), prerequisites.alone("prod", progress):
        pass
    assert out.getvalue() == ""
