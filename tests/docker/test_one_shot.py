"""`one-shot run` on a real Docker engine: its verdict is the program's, and nothing of it stays."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docker.handover_host import Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

PYTHON = os.path.realpath(sys.executable)
"""Where the test image has it too."""


def trial(host: Host, image: str, code: str, **values: Any) -> Any:
    words = {"image": image, "command": [PYTHON, "-S", "-c", code], "user": "65534:65534", "limit_seconds": 20}
    return host.call("one-shot", "run", {**words, **values})


@pytest.fixture(autouse=True)
def nothing_stays(host: Host) -> Any:
    yield
    label = '{"label":["sentinel-cutover.trial"]}'
    assert host.engine.get(f"/containers/json?all=1&filters={label}") == []


def test_the_files_are_there_to_read_and_not_to_change(host: Host, image: str, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("good")
    file.chmod(0o444)
    tmp_path.chmod(0o755)
    done = trial(host, image, "print(open('/x').read()); open('/x', 'w')", files={"/x": str(file)})
    assert done.returncode == 1
    assert "good" in done.stderr and "Read-only file system" in done.stderr


def test_a_program_that_is_content_is_enough(host: Host, image: str) -> None:
    assert trial(host, image, "pass").returncode == 0


def test_a_program_that_refuses_is_told_with_its_last_lines(host: Host, image: str) -> None:
    done = trial(host, image, "import sys; print('line 3: no such field'); sys.exit(3)")
    assert done.returncode == 1
    assert "ended with 3: fix what it says below" in done.stderr and "line 3: no such field" in done.stderr


def test_a_program_that_does_not_end_is_ended(host: Host, image: str) -> None:
    done = trial(host, image, "import time; time.sleep(60)", limit_seconds=1)
    assert done.returncode == 1 and "has not ended after 1 s" in done.stderr


def test_it_has_no_network(host: Host, image: str) -> None:
    done = trial(host, image, "import socket; print(sorted(n for _, n in socket.if_nameindex())); 1 / 0")
    assert "['lo']" in done.stderr
