"""The cutover on real parts: staged, handed over, verified by every backend, Claude's file, a second preview.

The tests of this folder are chapters of one story on one stack; each file first brings the stack to where it begins.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from console.progress import Progress
from lab.real.claude_code import install
from tests.lab.cutover.conftest import Before, Lab, claude_files
from tests.lab.cutover.limits import GATEWAY, LIMIT_MS

pytestmark = pytest.mark.lab

PARTS = {"ok", "active", "claude", "tokens", "compared", "bindings", "as_declared"}


def the_same_parts(verified: dict[str, Any]) -> dict[str, Any]:
    """But how many addresses were tried: the firewall's one-shot container has some while it lives."""
    parts = {key: one for key, one in verified.items() if key in PARTS}
    return {**parts, "bindings": {key: one for key, one in parts["bindings"].items() if key != "tried"}}


def test_staged_sentinel_is_standby_and_contextforge_serves(lab: Lab, before: Before) -> None:
    assert lab.outputs()["active"] == "contextforge"
    gateway = lab.inspect(lab.outputs()["sentinel"])
    assert gateway["State"]["Health"]["Status"] == "healthy"
    assert list(gateway["NetworkSettings"]["Networks"]) == ["sentinel"]
    assert not any(gateway["NetworkSettings"]["Ports"].values())
    assert (before.restart, lab.verified()["active"], lab.verified()["ok"]) == ("unless-stopped", "contextforge", True)


def test_the_port_is_handed_over_and_every_backend_answers_through_sentinel(lab: Lab, before: Before) -> None:
    lab.set("active", "sentinel")
    lab.up()
    handover = lab.outputs()["handover"]
    assert (handover["from"], handover["to"]) == (GATEWAY, lab.outputs()["sentinel"])
    assert handover["downtime_ms"] == pytest.approx(sum(handover["parts"].values()), abs=3)
    assert handover["downtime_ms"] < LIMIT_MS
    answers = lab.verified()
    assert (answers["firewall"]["addresses"], answers["firewall"]["open"]) == ([lab.box.ssh.address], [])
    assert (answers["active"], answers["ok"]) == ("sentinel", True)
    assert {one["name"] for one in answers["backends"]} == lab.backends()
    assert {one["result"] for one in answers["backends"] if "why_allowed" not in one} == {"ok"}
    kept = lab.outputs()["verification"]
    assert the_same_parts(kept) == the_same_parts(answers)
    assert kept["tokens"]["accepted"] == ["the predecessor's"]
    assert kept["tokens"]["refused"] == ["wrong", "another of the predecessor's"]
    assert kept["as_declared"]["containers"] == [lab.outputs()["sentinel"], "sentinel-postgres"]
    assert kept["bindings"]["tried"] > 0


def test_verify_reports_a_limit_that_did_not_reach_the_container(lab: Lab) -> None:
    lab.docker("update", "--memory", "200m", "--memory-swap", "200m", "sentinel-postgres")
    seen = lab.verified()
    lab.docker("update", "--memory", "256m", "--memory-swap", "256m", "sentinel-postgres")
    assert (seen["ok"], seen["as_declared"]["ok"]) == (False, False)
    assert seen["as_declared"]["differences"] == [
        "sentinel-postgres: memory is 209715200, expected 268435456",
        "sentinel-postgres: memory_and_swap is 209715200, expected 268435456",
    ]
    assert {one["result"] for one in seen["backends"] if "why_allowed" not in one} == {"ok"}


def test_claudes_file_differs_in_entries_and_rules_only_and_its_helper_opens_the_port(lab: Lab, before: Before) -> None:
    was, now = (json.loads(files[".claude.json"][0]) for files in (before.claude, claude_files(lab)))
    rules = [known["allowedTools"] for known in now["projects"].values()]
    assert ["mcp__contextforge__sqlite-list-tables", "mcp__sentinel__list_tables"] in rules
    for listed in rules:
        listed[:] = [rule for rule in listed if not rule.startswith("mcp__sentinel")]
    assert list(now["mcpServers"]) == ["sentinel"]
    entry = now["mcpServers"]["sentinel"]
    assert {**was, "mcpServers": {}} == {**now, "mcpServers": {}}
    assert b"eyJ" not in claude_files(lab)[".claude.json"][0]
    headers = json.loads(subprocess.run([entry["headersHelper"]], capture_output=True, check=True).stdout)
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    status = subprocess.run(
        lab.on_host(
            ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "@-", "-H", "Content-Type: application/json",
             "-H", "Accept: application/json, text/event-stream", "-d",
             json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}), entry["url"]]
        ),
        input=f"Authorization: {headers['Authorization']}\n", capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert status == "200"


@pytest.mark.timeout(600)
def test_the_published_claude_code_connects_to_sentinel(lab: Lab, progress: Progress, tmp_path: Path) -> None:
    # A copy: Claude Code writes into its file whenever it runs, and the rollback is compared byte for byte.
    (tmp_path / ".claude.json").write_bytes(claude_files(lab)[".claude.json"][0])
    output = subprocess.run(
        lab.on_host(["env", f"HOME={tmp_path}", str(install.executable(progress)), "mcp", "list"]),
        capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert re.search(r"^sentinel: .*Connected", output.stdout, re.MULTILINE), output.stdout + output.stderr


def test_make_up_puts_back_claudes_lost_entry_and_token(lab: Lab) -> None:
    file, token = Path(lab.box.home) / ".claude.json", Path(lab.box.home) / ".mcp-token"
    whole, owner = file.read_bytes(), token.stat().st_uid
    known = json.loads(whole)
    ours = known["mcpServers"].pop("sentinel")
    file.write_text(json.dumps(known))
    token.unlink()
    assert lab.ops("verify")["ok"] is False
    assert lab.ops("up")["ok"] is True
    assert json.loads(file.read_bytes())["mcpServers"]["sentinel"] == ours
    assert (token.stat().st_mode & 0o777, token.stat().st_uid) == (0o600, owner)
    file.write_bytes(whole)


def test_contextforge_stands_by_off_its_networks_and_a_reboot_would_not_bring_it_up(lab: Lab) -> None:
    found = lab.inspect(GATEWAY)
    assert lab.stands_by(GATEWAY)
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "no"


def test_only_loopback_listens_on_the_two_ports(lab: Lab) -> None:
    listening = subprocess.run(
        lab.on_host(["ss", "-Hltn", "( sport = :9200 or sport = :9201 )"]), capture_output=True, text=True, check=True
    ).stdout
    assert sorted(line.split()[3] for line in listening.splitlines()) == ["127.0.0.1:9200", "127.0.0.1:9201"]


def test_a_second_preview_shows_no_change_also_after_a_refresh(lab: Lab) -> None:
    assert set(lab.planned()) == {"same"}
    lab.pulumi("refresh", "--yes", "--non-interactive")
    assert set(lab.planned()) == {"same"}
