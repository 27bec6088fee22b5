"""Cutover and rollback: everything is as it was, nothing is left, and no row of the audit is lost."""

from __future__ import annotations

import re
import statistics
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.measures import AUDIT_ROW_LOST
from tests.lab.cutover.conftest import Lab, claude_files
from tests.lab.rollback.driver import Driver
from tests.lab.rollback.sums import Sums
from tests.soak import SOAK, only_soak

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

ROUNDS = 10 if SOAK else 1
"""Growth with every round shows after two of them, so in the soak."""
PROJECT = "mcp-context-forge"
LIMIT_MS = {"cutover": 300 if SOAK else 500, "rollback": 500}
"""Of the median, while ContextForge is in standby; CI has a single round, beside other tests."""
GROWTH_BYTES = 4096
"""Of the state over all rounds: a stored answer may be some characters longer than the one before."""
JOURNAL = {"handover", "handover/lock", "handover/state.json", "handover/finished"}
"""The handover's own record, which the first one makes and which stays to be read; `finished` keeps the last twenty."""


def shapes(lab: Lab) -> dict[str, Any]:
    """ContextForge's containers as `docker inspect` has them, without what every stop, start or join changes."""
    names = lab.docker("ps", "-a", "--filter", f"label=com.docker.compose.project={PROJECT}", "--format", "{{.Names}}")
    return {name: shape(lab.inspect(name)) for name in sorted(names.split())}


def shape(found: dict[str, Any]) -> dict[str, Any]:
    networks = found["NetworkSettings"]["Networks"]
    return {
        "id": found["Id"],
        "image": found["Image"],
        "config": found["Config"],
        "host": found["HostConfig"],
        "mounts": found["Mounts"],
        "state": (found["State"]["Status"], found["State"]["Paused"], found["RestartCount"]),
        "ports": found["NetworkSettings"]["Ports"],
        "networks": {
            name: sorted(set(facts["Aliases"] or []) - {found["Id"][:12]}) for name, facts in networks.items()
        },
    }


def residue(driver: Driver) -> dict[str, Any]:
    """Everything on the host that a round trip could leave."""
    lab = driver.lab
    folder = Path(lab.box.folder)
    saved = subprocess.run(lab.on_host(["iptables-save"]), capture_output=True, text=True, check=True).stdout
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.parent.name != "finished"}
    rules = re.sub(r"#.*|\[\d+:\d+\]|\d+\.\d+\.\d+\.\d+(/\d+)?|br-\w+", "", saved)
    return {
        "containers": sorted(lab.docker("ps", "-aq", "--no-trunc").split()),
        "networks": sorted(lab.docker("network", "ls", "-q", "--no-trunc").split()),
        "volumes": sorted(lab.docker("volume", "ls", "-q").split()),
        "files": sorted(files - JOURNAL),
        "home": sorted(path.name for path in Path(lab.box.home).iterdir()),
        "rules": sorted(line for line in rules.splitlines() if line.strip()),
        "claude": claude_files(lab),
    }


def audited(lab: Lab) -> set[str]:
    return set(lab.sql("select id from audit_log").split())


def lost_rows(lab: Lab) -> int:
    """Lines of the serving Sentinel's log, each for a row of the audit that it dropped."""
    argv = ["docker", f"--host={lab.box.docker_host}", "logs", lab.outputs()["sentinel"]]
    log = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout
    return sum(log.count(said) for said in AUDIT_ROW_LOST)


def test_round_trips_leave_everything_as_it_was_and_lose_no_row(driver: Driver, sums: Sums) -> None:
    lab = driver.lab
    # The first handover makes ContextForge's standby network, on which it stays.
    driver.cut_over()
    driver.staged()
    shaped, left, rows = shapes(lab), residue(driver), audited(lab)
    assert shaped
    size = driver.state_file().stat().st_size
    downtimes: list[dict[str, int]] = []
    lost = lost_rows(lab)
    for _ in range(ROUNDS):
        lab.set("active", "sentinel")
        lab.up()
        cutover = lab.outputs()["handover"]["downtime_ms"]
        assert lab.verified()["ok"] is True
        now = audited(lab)
        assert rows < now
        rows = now
        # The gates' calls in standby are the first over the connections that a withdrawal may have ended.
        assert lost_rows(lab) == lost
        lab.set("active", "contextforge")
        said = lab.up()
        rollback = int(re.findall(r"downtime (\d+) ms", said)[-1])
        downtimes.append({"cutover": cutover, "rollback": rollback})
        assert shapes(lab) == shaped
    assert residue(driver) == left
    assert rows <= audited(lab)
    assert abs(driver.state_file().stat().st_size - size) < GROWTH_BYTES
    for way, limit in LIMIT_MS.items():
        assert statistics.median(trip[way] for trip in downtimes) <= limit, downtimes
    sums.round_trips = downtimes


def test_a_sentinel_that_would_fail_its_gates_fails_no_rollback(driver: Driver) -> None:
    """Claude's entry among the rest: the engine takes it back after the gates' turn."""
    lab = driver.lab
    driver.staged()
    before = claude_files(lab)
    driver.cut_over()
    lab.sql("alter table audit_log rename to damaged")
    try:
        rolled_back = lab.ops("rollback")
    finally:
        lab.sql("alter table damaged rename to audit_log")
    assert (rolled_back["ok"], rolled_back["active"]) == (True, "contextforge")
    assert claude_files(lab) == before


@only_soak("a minute; tests/unit/hostctl/claude_client generates such files")
def test_where_somebody_else_edited_claudes_file_only_our_entry_is_taken_back(driver: Driver) -> None:
    lab = driver.lab
    before = claude_files(lab)[".claude.json"][0]
    driver.cut_over()
    file = Path(lab.box.home) / ".claude.json"
    theirs = file.read_bytes().replace(b"{", b'{\n  "edited": "meanwhile",', 1)
    file.write_bytes(theirs)
    assert lab.ops("rollback")["active"] == "contextforge"
    assert file.read_bytes() == before.replace(b"{", b'{\n  "edited": "meanwhile",', 1)
    file.write_bytes(before)


def test_a_bad_new_version_is_undone_by_its_number_without_contextforge_in_between(driver: Driver) -> None:
    lab = driver.lab
    driver.cut_over()
    gateway = "mcp-context-forge-gateway-1"
    journal = Path(lab.box.folder) / "handover" / "finished"
    good = lab.ops("history")[0]
    served = lab.inspect(lab.outputs()["sentinel"])["Image"]
    handovers = {path.name for path in journal.iterdir()}
    spoil(lab, good["image"], "lab/sentinel:bad")
    lab.set("sentinel.image", "lab/sentinel:bad")
    failed = lab.make("up")
    assert failed.returncode == 1, failed.stdout
    assert lab.stands_by(gateway)
    undone = lab.ops("rollback", "--to", str(good["number"]))
    assert undone["ok"], undone
    assert undone["active"] == "sentinel"
    assert lab.inspect(lab.outputs()["sentinel"])["Image"] == served
    assert lab.stands_by(gateway)
    assert not any("rollback" in name for name in {path.name for path in journal.iterdir()} - handovers)
    assert set(lab.planned()) == {"same"}


def spoil(lab: Lab, image: str, tag: str) -> None:
    """The same image without one backend's server: it comes up, is healthy, and that backend does not answer."""
    name = "spoiled"
    find = "rm -f $(command -v mcp-server-sequential-thinking)"
    lab.docker("run", "--name", name, "--user", "0", "--network", "none", "--entrypoint", "sh", image, "-c", find)
    entry = lab.docker("image", "inspect", "--format", "{{json .Config.Entrypoint}}", image)
    command = lab.docker("image", "inspect", "--format", "{{json .Config.Cmd}}", image)
    user = lab.docker("image", "inspect", "--format", "{{.Config.User}}", image)
    changes = [f"ENTRYPOINT {entry}", f"CMD {'[]' if command == 'null' else command}", f"USER {user or '0'}"]
    lab.docker("commit", *(argument for change in changes for argument in ("--change", change)), name, tag)
    lab.docker("rm", name)


@only_soak("a minute; tests/docker/test_rollback_check.py has the same refusal")
def test_an_update_whose_image_is_gone_is_refused_before_anything_changes(driver: Driver) -> None:
    lab = driver.lab
    driver.cut_over()
    lab.docker("tag", lab.ops("history")[0]["image"], "lab/sentinel:gone")
    lab.set("sentinel.image", "lab/sentinel:gone")
    done = lab.make("up")
    assert done.returncode == 0, done.stdout
    number = lab.ops("history")[0]["number"]
    driver.staged()
    assert lab.ops("rollback", "--to", str(number - 1))["ok"] is True
    lab.docker("rmi", "lab/sentinel:gone")
    before = (yaml.safe_load(lab.configuration()), residue(driver))
    refused = lab.ops("rollback", "--to", str(number))
    assert refused["ok"] is False
    assert "Nothing was changed" in refused["error"] and "the image lab/sentinel:gone is gone" in refused["error"]
    assert (yaml.safe_load(lab.configuration()), residue(driver)) == before
