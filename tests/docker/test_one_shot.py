"""One-shot containers on a real Docker engine: the verdict is the program's, and nothing stays."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from hostctl.docker import one_shot
from hostctl.docker.one_shot import OneShot
from tests.docker.handover_host import PORT, Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120, func_only=True)]

PYTHON = os.path.realpath(sys.executable)
"""The test image has it at the same path."""


def check(host: Host, image: str, code: str, **values: Any) -> Any:
    request = {"image": image, "command": [PYTHON, "-S", "-c", code], "user": "65534:65534", "limit_seconds": 20}
    return host.call("one-shot", "run", {**request, **values})


def one_shots(host: Host) -> list[str]:
    filters = quote(json.dumps({"label": [one_shot.LABEL]}))
    return [row["Id"] for row in host.engine.get(f"/containers/json?all=1&filters={filters}")]


@pytest.fixture(autouse=True)
def nothing_stays(host: Host) -> Any:
    yield
    assert one_shots(host) == []


def test_the_files_are_there_to_read_and_not_to_change(host: Host, image: str, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("good")
    file.chmod(0o444)
    tmp_path.chmod(0o755)
    done = check(host, image, "print(open('/x').read()); open('/x', 'w')", files={"/x": str(file)})
    assert done.returncode == 1
    assert "good" in done.stderr and "Read-only file system" in done.stderr


def test_a_program_that_is_content_is_enough(host: Host, image: str) -> None:
    assert check(host, image, "pass").returncode == 0


def test_a_program_that_refuses_is_reported_with_its_last_lines(host: Host, image: str) -> None:
    done = check(host, image, "import sys; print('line 3: no such field'); sys.exit(3)")
    assert done.returncode == 1
    assert "ended with 3: fix what it reports below" in done.stderr and "line 3: no such field" in done.stderr


def test_a_program_that_does_not_end_is_ended(host: Host, image: str) -> None:
    done = check(host, image, "import time; time.sleep(60)", limit_seconds=1)
    assert done.returncode == 1 and "has not ended after 1 s" in done.stderr


def test_it_has_no_network(host: Host, image: str) -> None:
    done = check(host, image, "import socket; print(sorted(n for _, n in socket.if_nameindex())); 1 / 0")
    assert "['lo']" in done.stderr


def test_a_killed_runs_container_goes_with_the_next_one_and_a_running_ones_stays(host: Host, image: str) -> None:
    """A label of a process that has ended is what a killed run leaves."""
    sleep = OneShot(image, (PYTHON, "-S", "-c", "import time; time.sleep(60)"))
    orphan = host.engine.post("/containers/create", {**sleep.body(), "Labels": {one_shot.LABEL: "999999999 1"}})["Id"]
    with one_shot.started(host.engine, sleep) as mine:
        assert one_shots(host) == [mine] and orphan != mine
        assert check(host, image, "pass").returncode == 0
        assert one_shots(host) == [mine]


def test_the_firewall_is_changed_from_one_on_the_hosts_network_with_the_hosts_own_programs(
    host: Host, tmp_path: Path
) -> None:
    script = tmp_path / "firewall.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    request = {"folder": str(tmp_path / "firewall"), "interfaces": ["eth0"], "ports": [PORT], "script": str(script)}
    contained = {**request, "escalation": "container", "image": host.image}
    assert host.ok("firewall", "apply", **contained)["rules"] == "6 set"
    assert host.ok("firewall", "show", **contained)["ok"] is True
    assert host.ok("firewall", "remove", **contained)["rules"] == "removed"


def test_the_loopback_bind_is_probed_from_one_on_dockers_default_bridge(host: Host, image: str) -> None:
    probed = host.ok("firewall", "probe", ports=[PORT], image=image)
    assert (probed["ok"], probed["open"]) == (True, []) and probed["addresses"]


def test_a_command_in_anothers_network_reads_a_file_and_reaches_its_loopback(
    host: Host, image: str, tmp_path: Path
) -> None:
    """As a backup is restored into a one-shot Postgres."""
    dump = tmp_path / "one.dump"
    dump.write_text("a dump")
    tmp_path.chmod(0o755)
    serve = "import socket; one = socket.create_server(('127.0.0.1', 80)); open('/tmp/up', 'w'); one.accept()"
    server = OneShot(image, (PYTHON, "-S", "-c", serve), tmpfs={"/tmp": "mode=1777"}, volumes=("/data",))
    wait = "import os, time\nwhile not os.path.exists('/tmp/up'): time.sleep(0.05)"
    read = f"import socket; print(open({str(dump)!r}).read()); socket.create_connection(('127.0.0.1', 80), 5)"
    with one_shot.started(host.engine, server) as container:
        assert host.engine.inside(container, [PYTHON, "-S", "-c", wait], 20)[0] == 0
        reader = one_shot.reader(image, [PYTHON, "-S", "-c", read], str(dump), network=f"container:{container}")
        assert one_shot.run(host.engine, reader, 20) == (0, "a dump")
