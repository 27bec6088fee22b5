"""The whole story on real parts: cut over, verify, change, roll back, cut over again, from a laptop too, and take down.

The tests of this file are chapters: each goes on where the one before ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.progress import Progress
from lab.benchmarks.watched import gateway_tokens, journal_of_handover, watched
from lab.real.claude_code import install
from tests.lab.cutover.conftest import Lab

pytestmark = pytest.mark.lab

GATEWAY = "mcp-context-forge-gateway-1"
BELOW_THE_HANDOVER = ("verification", "claude-entry", "claude-token", "cutover-mark", "nightly")
BESIDE_THE_HANDOVER = ("sentinel-prometheus", "sentinel-grafana", "resources", "reboot-check")
"""They only observe and nothing depends on them, so that the engine may take them away at any time before it."""
PARTS = {"ok", "active", "claude", "tokens", "compared", "bindings", "as_declared"}
LIMIT_MS = 500
"""Of a downtime on a machine of 2 cores that also runs the tests; the figures themselves are in docs/performance.md."""


@dataclass(frozen=True)
class Before:
    """ContextForge's gateway as it was before anything changed."""

    restart: str
    aliases: list[str]
    claude: dict[str, tuple[bytes, int, int, int]]


def claude_files(lab: Lab) -> dict[str, tuple[bytes, int, int, int]]:
    """Claude's file and its token file: content, mode and owner."""
    paths = [Path(lab.box.home) / name for name in (".claude.json", ".mcp-token")]
    stats = {path: path.stat() for path in paths}
    return {path.name: (path.read_bytes(), at.st_mode, at.st_uid, at.st_gid) for path, at in stats.items()}


def over_ssh(lab: Lab) -> list[tuple[str, str]]:
    """The settings of a laptop that reaches the VPS by ssh."""
    return [
        ("host.kind", "ssh"),
        ("host.address", lab.box.ssh.address),
        ("host.user", lab.box.ssh.user),
        ("host.private_key_file", lab.box.ssh.key),
        ("host.host_key", lab.box.ssh.host_key),
    ]


@pytest.fixture(scope="module")
def before(lab: Lab) -> Before:
    lab.set("active", "contextforge")
    lab.up()
    found = lab.inspect(GATEWAY)
    network = found["NetworkSettings"]["Networks"]["mcp-context-forge_mcpnet"]
    return Before(found["HostConfig"]["RestartPolicy"]["Name"], sorted(network["Aliases"]), claude_files(lab))


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
    assert kept["tokens"]["refused"] == ["wrong", "the predecessor's"]
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


def test_claudes_file_differs_in_the_entries_only_and_its_helper_opens_the_port(lab: Lab, before: Before) -> None:
    was, now = (json.loads(files[".claude.json"][0]) for files in (before.claude, claude_files(lab)))
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


def test_contextforge_is_paused_off_its_networks_and_a_reboot_would_not_bring_it_up(lab: Lab) -> None:
    found = lab.inspect(GATEWAY)
    assert found["State"]["Paused"] is True
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "no"
    assert not found["NetworkSettings"]["Networks"]


def test_only_loopback_listens_on_the_two_ports(lab: Lab) -> None:
    listening = subprocess.run(
        lab.on_host(["ss", "-Hltn", "( sport = :9200 or sport = :9201 )"]), capture_output=True, text=True, check=True
    ).stdout
    assert sorted(line.split()[3] for line in listening.splitlines()) == ["127.0.0.1:9200", "127.0.0.1:9201"]


def test_a_second_preview_shows_no_change_also_after_a_refresh(lab: Lab) -> None:
    assert set(lab.planned()) == {"same"}
    lab.pulumi("refresh", "--yes", "--non-interactive")
    assert set(lab.planned()) == {"same"}


def test_a_row_survives_a_changed_memory_limit_in_the_same_container(lab: Lab) -> None:
    lab.sql("drop table if exists kept; create table kept (line text)")
    lab.sql("insert into kept values ('still here')")
    container = lab.inspect("sentinel-postgres")["Id"]
    lab.set("postgres.memory_mb", "320")
    lab.up()
    found = lab.inspect("sentinel-postgres")
    assert (found["Id"], found["HostConfig"]["Memory"]) == (container, 320 * 1024 * 1024)
    assert found["HostConfig"]["MemorySwap"] == 320 * 1024 * 1024
    assert lab.sql("select line from kept") == "still here"


def test_a_row_survives_another_image_in_another_container_and_nobody_hands_the_port_over(lab: Lab) -> None:
    serving, container = lab.inspect(lab.outputs()["sentinel"])["Id"], lab.inspect("sentinel-postgres")["Id"]
    lab.docker("commit", "--change", "LABEL test=other", "sentinel-postgres", "lab/postgres:other")
    lab.set("postgres.image", "lab/postgres:other")
    output = lab.up()
    assert lab.inspect("sentinel-postgres")["Id"] != container
    assert lab.sql("select line from kept") == "still here"
    assert "handover-port" not in output
    assert lab.inspect(lab.outputs()["sentinel"])["Id"] == serving
    assert lab.verified()["ok"] is True
    lab.pulumi("config", "rm", "postgres.image")
    lab.up()
    lab.docker("image", "rm", "lab/postgres:other")
    assert lab.sql("select line from kept") == "still here"


def test_a_changed_configuration_takes_over_from_the_serving_sentinel_without_contextforge(lab: Lab) -> None:
    old = lab.outputs()["sentinel"]
    lab.set("sentinel.log_level", "debug")
    lab.up()
    handover = lab.outputs()["handover"]
    assert (handover["from"], handover["to"]) == (old, lab.outputs()["sentinel"])
    assert old != lab.outputs()["sentinel"]
    assert lab.docker("ps", "-aq", "--filter", f"name={old}") == ""
    assert lab.inspect(GATEWAY)["State"]["Paused"] is True
    assert lab.verified()["ok"] is True


def test_the_kill_switch_reaches_the_serving_container_without_another_one(lab: Lab) -> None:
    """The harmless call is disabled, so the verification's own answer shows the refusal and its end."""
    before = lab.inspect(lab.outputs()["sentinel"])
    lab.set("sentinel.kill_switch", json.dumps({"disabled_tools": ["list_tables"]}))
    output = lab.up()
    assert "sentinel-live-reload updated" in output and "handover-port" not in output, output
    refused = {one["name"]: one["result"] for one in lab.verified()["backends"]}
    assert refused.get("sqlite") != "ok" and refused["sequential-thinking"] == "ok"
    # A tool that no check calls leaves the list without a failure.
    lab.set("sentinel.kill_switch", json.dumps({"disabled_tools": ["browser_press_key"]}))
    lab.up()
    seen = lab.verified()
    assert seen["ok"] is True and seen["compared"]["missing"] == {}
    assert seen["compared"]["switched_off"] == ["playwright-browser-press-key"]
    lab.set("sentinel.kill_switch", "{}")
    lab.up()
    assert lab.verified()["ok"] is True
    after = lab.inspect(lab.outputs()["sentinel"])
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    assert set(lab.planned()) == {"same"}


def test_a_reload_of_a_file_that_cannot_be_read_is_refused_with_the_gateways_message_and_it_goes_on(lab: Lab) -> None:
    serving = lab.inspect(lab.outputs()["sentinel"])
    folder = next(Path(one["Source"]) for one in serving["Mounts"] if one["Destination"] == "/etc/sentinel")
    good = (folder / "sentinel.toml").read_bytes()
    (folder / "sentinel.toml").write_text("[kill_switch")
    document = {
        "docker_socket": lab.box.docker_socket, "container": serving["Id"], "logs_reload": True, "port": 9200,
        "listed": ["list_tables"], "probe": {"token_file": f"{lab.box.folder}/handover-token"},
    }  # fmt: skip
    argv = lab.on_host([sys.executable, "-I", "-S", f"{lab.box.folder}/hostctl.pyz", "sentinel", "reload"])
    try:
        done = subprocess.run(argv, input=json.dumps(document), capture_output=True, text=True, timeout=60)
    finally:
        (folder / "sentinel.toml").write_bytes(good)
    assert done.returncode == 1
    assert "keeps its previous kill switch and rate limits" in done.stderr and "is not valid TOML" in done.stderr
    assert lab.verified()["ok"] is True


def test_one_setting_and_up_give_the_port_back_as_contextforge_had_it(lab: Lab, before: Before) -> None:
    lab.set("active", "contextforge")
    output = lab.up()
    assert "handover-port deleted" in output
    assert re.search(rf"-> {GATEWAY}: downtime \d+ ms \(release \d+, connect \d+, answer \d+\)", output), output
    rolled_back = lab.verified()
    assert (rolled_back["active"], rolled_back["ok"]) == ("contextforge", True)
    found = lab.inspect(GATEWAY)
    network = found["NetworkSettings"]["Networks"]["mcp-context-forge_mcpnet"]
    # Docker adds the container's short id, which is no alias that anybody gave.
    given = sorted(alias for alias in network["Aliases"] if not found["Id"].startswith(alias))
    assert given == sorted(alias for alias in before.aliases if not found["Id"].startswith(alias))
    assert found["HostConfig"]["RestartPolicy"]["Name"] == before.restart


def test_claudes_file_and_token_are_byte_for_byte_as_before(lab: Lab, before: Before) -> None:
    assert claude_files(lab) == before.claude
    assert not (Path(lab.box.folder) / "claude").exists()


def test_an_independent_watch_agrees_with_the_programs_own_figure(lab: Lab) -> None:
    """The watch requests an authenticated MCP answer on the port, by none of the product's code."""
    journal = journal_of_handover(lab.box)
    with watched(lab.box, 9200, gateway_tokens(lab.box), closely_while=journal) as seen:
        lab.set("active", "sentinel")
        lab.up()
    reported = lab.outputs()["handover"]["downtime_ms"]
    assert seen.missed == 0
    assert abs(seen.gap_ms - reported) < 150, f"the watch saw {seen}, the program reports {reported} ms"
    assert seen.gap_ms < LIMIT_MS


def test_a_deployed_stack_refuses_to_change_the_way_to_its_host(lab: Lab) -> None:
    for key, value in over_ssh(lab):
        lab.set(key, value)
    refused = lab.ops("up")
    assert refused["ok"] is False
    assert refused["error"].startswith(
        "Stack lab is deployed with host.kind local and cannot change it to ssh in place"
    )
    lab.set("host.kind", "local")
    assert lab.verified()["active"] == "sentinel"


def test_destroy_gives_the_port_back_first_and_keeps_the_volume(lab: Lab, before: Before) -> None:
    output = lab.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive", "--color", "never")
    deleted = re.findall(r"(\S+) deleted", output)
    first = {part: next(at for at, one in enumerate(deleted) if one.startswith(part)) for part in BELOW_THE_HANDOVER}
    assert max(first["verification"], first["claude-entry"]) < deleted.index("handover-port"), output
    earlier = deleted[: deleted.index("handover-port")]
    assert [one for one in earlier if not one.startswith(BELOW_THE_HANDOVER + BESIDE_THE_HANDOVER)] == []
    assert claude_files(lab) == before.claude
    assert lab.inspect(GATEWAY)["State"]["Running"] is True
    assert lab.docker("volume", "ls", "-q", "--filter", "name=^sentinel-postgres$") == "sentinel-postgres"
    assert lab.docker("network", "ls", "-q", "--filter", "name=sentinel") == ""
    folder = Path(lab.box.folder)
    # The nightly job's results stay, as the handover's journal does.
    assert not folder.exists() or {path.name for path in folder.iterdir()} <= {"handover", "nightly"}
    assert not (folder / "nightly" / "request.json").exists()


def test_the_same_program_works_from_a_laptop_over_ssh_and_finds_the_old_rows(lab: Lab) -> None:
    laptop = Lab(lab.box, engine="pulumi-from-wan")
    for key, value in over_ssh(lab):
        laptop.set(key, value)
    began = time.monotonic()
    laptop.up()
    assert laptop.outputs()["handover"]["downtime_ms"] < LIMIT_MS
    assert lab.sql("select line from kept") == "still here"
    seen = laptop.outputs()["verification"]
    assert seen["ok"] is True
    assert {one["result"] for one in seen["backends"] if "why_allowed" not in one} == {"ok"}
    answers = laptop.verified()
    assert (answers["ok"], answers["firewall"]["ok"]) == (True, True)
    assert answers["firewall"]["addresses"] == [lab.box.ssh.address]
    assert set(laptop.planned()) == {"same"}
    assert lab.ops("stop-predecessor")["predecessor"] == "stopped"
    laptop.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive")
    assert lab.inspect(GATEWAY)["State"]["Running"] is True
    assert time.monotonic() - began < 300
