"""`baseline`, `gates` and `verification` as programs, with a real bridge and gateway; the host's answers are canned."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Generator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from components.base.probes import probes
from hostctl.core import requests
from settings import SECRET_KEYS, load
from tests.integration.bridge.parts import Bridge, Database, running_bridge, stdio_backend, token
from tests.unit.settings.cases import SQLITE, THINKING, configuration
from verify import report
from verify.__main__ import main

SECONDS = {"start_seconds": 5, "gate_seconds": 20, "upstream_seconds": 1, "limit_seconds": 30}
INSPECTED = {
    "active": "contextforge",
    "holder": "mcp-context-forge-gateway-1",
    "name": "sentinel-gateway-1",
    "log": "x",
}
TOOLS = ["alpha_count", "alpha_echo", "alpha_fail", "alpha_pid", "alpha_slow"]


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Generator[Bridge]:
    with running_bridge(tmp_path_factory.mktemp("bridge"), [stdio_backend("alpha")], database.url()) as started:
        yield started


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@dataclass
class World:
    """The host's canned answers, and the program under test."""

    folder: Path
    url: str
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    probes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __post_init__(self) -> None:
        shutil.copy(Path(__file__).with_name("hostctl_of_answers.py"), self.folder / "hostctl.pyz")
        address = urlsplit(self.url)
        where = {"address": address.hostname, "inside_port": address.port, "serves": False, "running": True}
        self.answers = {
            "gates inspect": {**INSPECTED, **where},
            "sentinel start": {"healthy_after_ms": 3},
            "sentinel stop": {"state": "stopped"},
            "gates migrations": {"tables": ["audit_log", "_sqlx_migrations"]},
            "gates health": {"status": 200},
            "gates metrics": {"backends": {"alpha": True}},
            "gates upstream": {"unreachable": {}},
            "token show": {"token": token()},
            "baseline read": {"baseline": None, "predecessor_serves": True},
            "claude show": {
                "entry": "sentinel", "transport": "http", "url": self.url, "file": "/home/operator/.claude.json",
                "headers": {"Authorization": f"Bearer {token()}"}, "before": [f"Bearer {token(iss='mcpgateway')}"],
            },
            "verification inspect": {
                "active": "sentinel", "holder": "sentinel-gateway-1", "baseline": None,
                "bindings": {"ok": True, "listening": [], "reachable": [], "tried": 4},
                "as_declared": {"ok": True, "containers": ["sentinel-gateway-1"], "differences": []},
            },
        }  # fmt: skip
        self.probes = [
            {"name": "alpha", "tool": "alpha_echo", "arguments": {"text": "x"}, "expect": {"contains": ["alpha:x"]}}
        ]

    def run(self, command: str, **more: Any) -> Done:
        (self.folder / "answers.json").write_text(json.dumps(self.answers))
        port = urlsplit(self.url).port
        shared = {
            "host": {"program": str(self.folder / "hostctl.pyz"), "docker_socket": "/nowhere"},
            "gateway": "mcp-context-forge-gateway-1", "port": port, "probes": self.probes,
        }  # fmt: skip
        own: dict[str, dict[str, Any]] = {
            "baseline": {"claude": {}, "folder": "/nowhere", "limit_seconds": 30},
            "gates": {
                "active": "sentinel", "container": "c" * 64, "user": "1:1", "internal": "sentinel",
                "edge": "sentinel-edge", "health_port": 9201, "audit": True, "token_file": "/nowhere",
                "database": {"container": "sentinel-postgres", "user": "s", "database": "s"},
                **{key: value for key, value in SECONDS.items() if key != "limit_seconds"},
            },
            "verification": {
                "claude": {"sentinel": {}, "contextforge": {}}, "health_port": 9201, "folder": "/nowhere",
                "baseline_folder": "/nowhere", "limit_seconds": 30, "rollback": "give it back",
            },
        }  # fmt: skip
        document = {**shared, **own["verification" if command == "check" else command], **more}
        out, err = io.StringIO(), io.StringIO()
        stdin = io.TextIOWrapper(io.BytesIO(json.dumps(document).encode()))
        with redirect_stdout(out), redirect_stderr(err), pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "stdin", stdin)
            code = main([command])
        return Done(code, out.getvalue(), err.getvalue())

    def calls(self) -> list[str]:
        return [json.loads(line)[0] for line in (self.folder / "calls.jsonl").read_text().splitlines()]


@pytest.fixture
def world(tmp_path: Path, bridge: Bridge) -> World:
    return World(tmp_path, bridge.url)


def test_every_gate_passes_in_its_order_and_is_reported(world: World) -> None:
    done = world.run("gates")
    assert done.returncode == 0, done.stderr
    order = ["standby", "migrations", "health", "token", "catalogue", "tools", "calls", "upstream"]
    assert [gate["name"] for gate in json.loads(done.stdout)["gates"]] == order
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [f"gate {name}" for name in order]


@pytest.mark.parametrize(
    ("gate", "verb", "answer", "found"),
    [
        (
            "standby",
            "sentinel start",
            "sentinel-gateway-1 ended with exit code 1: read its log",
            "ended with exit code 1",
        ),
        ("migrations", "gates migrations", "the database sentinel has no table audit_log", "has no table audit_log"),
        ("health", "gates health", "/health answers 503", "/health answers 503"),
        ("token", "token show", {"token": token(iss="mcpgateway")}, "made with the stack's jwt_secret is refused"),
        ("catalogue", "gates metrics", {"backends": {"alpha": False}}, "alpha is unhealthy by sentinel_backend_health"),
    ],
)
def test_a_failed_gate_ends_the_run_with_expectation_finding_fix_and_log(
    world: World, gate: str, verb: str, answer: Any, found: str
) -> None:
    world.answers[verb] = answer
    world.probes[0]["needs_internet"] = gate == "catalogue"
    world.answers["gates inspect"]["log"] = "first line\nlast line"
    done = world.run("gates")
    assert (done.returncode, done.stdout) == (20, "")
    lines = done.stderr.splitlines()
    assert lines[-8].startswith(f"error: the gate {gate} failed: ") and found in lines[-8]
    assert [line.split(":")[0].strip() for line in lines[-7:-4]] == ["expected", "found", "fix"]
    assert lines[-4:] == [
        "  The container sentinel-gateway-1 is kept for inspection; the last lines of its log:",
        "    first line",
        "    last line",
        "ContextForge has not been touched and has the port.",
    ]


def test_a_backend_that_the_gateway_missed_at_its_start_gets_one_restart(world: World) -> None:
    world.probes.append({"name": "beta", "tool": "beta_echo"})
    done = world.run("gates")
    assert done.returncode == 20 and "beta does not offer beta_echo" in done.stderr
    assert world.calls().count("sentinel stop") == 1


@pytest.mark.parametrize(
    "why_allowed", [{"optional": True, "reason": "no key yet"}, {"allowed_failure": True, "reason": "no key yet"}]
)
def test_a_backend_that_may_fail_fails_no_gate_and_its_reason_is_repeated(
    world: World, why_allowed: dict[str, Any]
) -> None:
    world.probes.append({"name": "exa", "tool": "web_search_exa", **why_allowed, "upstream_hosts": ["api.exa.ai"]})
    world.answers["gates upstream"] = {"unreachable": {"api.exa.ai": "no route"}}
    done = world.run("gates")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no key yet") == 3 and "sentinel stop" not in world.calls()
    verified = world.run("verification")
    assert verified.returncode == 0
    row = next(line for line in verified.stderr.splitlines() if line.startswith("exa"))
    assert (
        row.split()[2] == "missing"
        and f"{'optional' if 'optional' in why_allowed else 'allowed to fail'}: no key yet" in row
    )


def baseline(world: World, *more: str, alpha: str = "ok") -> dict[str, Any]:
    tools = [{"name": f"alpha-{tool.replace('_', '-')}", "schema_hash": "0"} for tool in [*TOOLS, *more]]
    seen = {"name": "alpha", "tool": "alpha-alpha-echo", "result": alpha, "kind": "text"}
    return {"entry": "contextforge", "transport": "http", "tools": tools, "backends": [seen]}


def test_a_missing_tool_of_the_baseline_fails_and_a_changed_schema_is_reported(world: World) -> None:
    report = world.run("gates", baseline=baseline(world)).stderr
    assert "gate tools: passed" in report and "another schema: alpha-alpha-count, alpha-alpha-echo" in report
    done = world.run("gates", baseline=baseline(world, "alpha_gone"))
    assert done.returncode == 20 and "alpha lacks alpha-alpha-gone" in done.stderr


def test_a_tool_of_the_baseline_that_the_kill_switch_hides_fails_nothing_and_is_reported(world: World) -> None:
    world.probes[0]["disabled_tools"] = ["alpha_gone"]
    before = baseline(world, "alpha_gone")
    for done in (world.run("gates", baseline=before), world.run("verification", active="sentinel", baseline=before)):
        assert done.returncode == 0, done.stderr
        assert "switched off: alpha-alpha-gone" in done.stderr
    assert json.loads(done.stdout)["compared"]["missing"] == {}


@pytest.mark.parametrize(
    ("active", "facts", "reason"),
    [
        ("sentinel", {"serves": True}, "has the port already"),
        ("contextforge", {"active": "sentinel"}, "this is the rollback, which no gate may delay"),
    ],
)
def test_a_serving_container_and_the_rollback_skip_all_gates(
    world: World, active: str, facts: dict[str, Any], reason: str
) -> None:
    world.answers["gates inspect"] |= facts
    done = world.run("gates", active=active)
    assert (done.returncode, world.calls()) == (0, ["gates inspect"])
    assert reason in done.stderr


def test_a_baseline_is_sorted_and_without_times_and_names_what_is_broken_already(world: World) -> None:
    # At ContextForge the tool would be alpha-alpha-echo; the bridge stands in for it, so every backend is missing.
    done = world.run("baseline")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [tool["name"] for tool in found["tools"]] == sorted(TOOLS)
    assert found["backends"] == [{"name": "alpha", "tool": "alpha-alpha-echo", "result": "missing", "kind": ""}]
    assert done.stderr.startswith("baseline: alpha is missing at ContextForge already, so it may fail afterwards too")
    assert json.loads(world.run("baseline").stdout) == found


def test_while_contextforge_is_out_of_service_the_kept_baseline_is_the_answer(world: World) -> None:
    kept = baseline(world)
    world.answers["baseline read"] = {"baseline": kept, "predecessor_serves": False}
    done = world.run("baseline")
    assert (json.loads(done.stdout), world.calls()) == (kept, ["baseline read"])
    world.answers["baseline read"]["baseline"] = None
    done = world.run("baseline")
    assert done.returncode == 1 and done.stderr.startswith("ContextForge is out of service and no baseline was kept")
    rollback = world.run("baseline", active="contextforge")
    assert (rollback.returncode, rollback.stdout) == (0, "null\n")


def test_a_verification_has_every_part_and_the_table(world: World) -> None:
    done = world.run("verification", active="sentinel")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["ok"], found["active"], found["tokens"]["refused"]) == (
        True,
        "sentinel",
        ["wrong", "the predecessor's"],
    )
    assert all(found[part]["ok"] for part in ("claude", "tokens", "compared", "bindings", "as_declared"))
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        "backend", "alpha", "claude", "tokens", "compared", "bindings", "as_declared", "sentinel:",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "change", "code", "message"),
    [
        (
            "claude show",
            "Claude's program for the header failed",
            4,
            "alpha is unreachable (docs/runbook.md#result-unreachable); claude not ok",
        ),
        ("verification inspect", {"active": "nobody", "holder": ""}, 8, "claude not ok"),
        ("claude show", {"before": [f"Bearer {token()}"]}, 9, "tokens not ok"),
        ("verification inspect", {"baseline": "GONE"}, 10, "compared not ok"),
        (
            "verification inspect",
            {"bindings": {"ok": False, "listening": ["0.0.0.0 port 9200"]}},
            11,
            "bindings not ok",
        ),
        (
            "verification inspect",
            {"as_declared": {"ok": False, "differences": ["x: memory is 1"]}},
            12,
            "as_declared not ok",
        ),
    ],
    ids=["no-header", "nobody", "old-token", "tool-gone", "bindings", "as-declared"],
)
def test_each_failed_part_has_its_own_exit_code_and_the_message_names_the_rollback(
    world: World, verb: str, change: Any, code: int, message: str
) -> None:
    if change == {"baseline": "GONE"}:
        change = {"baseline": baseline(world, "alpha_gone")}
    world.answers[verb] = change if isinstance(change, str) else {**world.answers[verb], **change}
    done = world.run("verification", active="sentinel")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert message in done.stderr.splitlines()[-1] and done.stderr.endswith("to roll back: give it back\n")
    assert json.loads(world.run("check").stdout)["ok"] is False


def test_without_a_predecessor_no_rollback_is_offered(world: World) -> None:
    world.answers["verification inspect"]["bindings"] = {"ok": False}
    done = world.run("verification", active="sentinel", rollback="")
    assert done.stderr.endswith("error: bindings not ok; Sentinel still serves\n")


def test_a_backend_that_hangs_leaves_the_others_their_results(world: World) -> None:
    hanging = {**SQLITE, "tool": "alpha_slow", "arguments": {"seconds": 60}, "timeout_seconds": 150}
    answering = {**THINKING, "tool": "alpha_echo", "arguments": {"text": "x"}}
    raw = configuration(backends=[hanging, answering], verification__call_seconds="1")
    world.probes = [requests.write(probe) for probe in probes(load(raw, SECRET_KEYS))]
    done = world.run("check", active="sentinel", limit_seconds=15)
    found = json.loads(done.stdout)
    assert [(row["name"], row["result"]) for row in found["backends"]] == [
        ("sqlite", "unreachable"),
        ("sequential-thinking", "ok"),
    ]
    assert found["backends"][0]["detail"] == "no answer within 1 s" and found["claude"]["ok"]


PROBED: dict[str, Any] = {
    "ok": True, "addresses": ["203.0.113.10"], "untried": ["2001:db8::10"], "ports": [9200, 9201], "open": [],
    "shows": "the bind", "does_not_show": "the rules",
}  # fmt: skip


@pytest.mark.parametrize(
    ("probed", "code", "found", "line"),
    [
        (
            PROBED,
            0,
            {**PROBED, "open": []},
            "firewall  ok · addresses: 203.0.113.10 · untried: 2001:db8::10 · ports: 9200, 9201 · shows: the bind · "
            "does not show: the rules",
        ),
        (
            {**PROBED, "ok": False, "open": [{"address": "203.0.113.10", "port": 9200}]},
            13,
            {**PROBED, "ok": False, "open": ["203.0.113.10 port 9200"]},
            "firewall  NOT OK · open: 203.0.113.10 port 9200 · ",
        ),
        (
            "no container is on this host",
            0,
            {"ok": True, "shows": "nothing, since the probe could not run: no container is on this host"},
            "firewall  ok · shows: nothing, since the probe could not run: no container is on this host",
        ),
    ],
    ids=["closed", "open", "not-probed"],
)
def test_the_hosts_own_addresses_are_probed_on_request(
    world: World, probed: Any, code: int, found: dict[str, Any], line: str
) -> None:
    world.answers["firewall probe"] = probed
    assert "firewall" not in json.loads(world.run("check").stdout)
    done = world.run("check", own_ports=[9200, 9201])
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["firewall"]) == (code, code == 0, found)
    assert any(one.startswith(line) for one in report.text(document).splitlines())


def test_a_backend_broken_at_contextforge_already_need_not_be_better(world: World) -> None:
    world.probes[0]["expect"] = {"contains": ["something else"]}
    done = world.run("verification", baseline=baseline(world, alpha="tool-error"))
    assert done.returncode == 0
    assert json.loads(done.stdout)["backends"][0]["why_allowed"] == "it was tool-error at ContextForge already"
    assert world.run("verification", baseline=baseline(world)).returncode == 7
