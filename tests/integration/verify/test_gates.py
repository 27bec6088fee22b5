"""`gates` as a program: each gate with a real bridge and gateway; the host's answers are canned."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hostctl.gates.audit import AuditRequest, audit
from hostctl.postgres.psql import DatabaseRequest
from tests.integration.bridge.client import token
from tests.integration.bridge.parts import running_bridge, stdio_backend
from tests.integration.bridge.postgres import Database
from tests.integration.verify.world import World, baseline
from verify import gates

ENDING_SERVER = Path(__file__).with_name("ending_server.py")


def test_every_gate_passes_in_its_order_and_is_reported(world: World) -> None:
    done = world.run("gates")
    assert done.returncode == 0, done.stderr
    order = [
        "secrets", "standby", "migrations", "health", "token", "catalogue", "tools", "arguments", "calls", "audit",
        "upstream",
    ]  # fmt: skip
    assert [gate["name"] for gate in json.loads(done.stdout)["gates"]] == order
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [f"gate {name}" for name in order]


@pytest.mark.parametrize(
    ("gate", "verb", "answer", "found"),
    [
        (
            "secrets",
            "gates secrets",
            "the secret file JWT_SECRET_KEY is empty: write /x again by 'make up', or set its secret",
            "JWT_SECRET_KEY is empty",
        ),
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
        ("audit", "gates audit", {"last": 7, "rows": {}}, "calls without a row in audit_log"),
    ],
)
def test_a_failed_gate_ends_the_run_with_expectation_finding_fix_and_log(
    world: World, gate: str, verb: str, answer: Any, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "AUDIT_SECONDS", 0.5)
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


def test_arguments_that_do_not_fit_the_tools_schema_fail_before_any_call(world: World) -> None:
    world.probes[0]["arguments"] = {"text": 5}
    done = world.run("gates")
    assert done.returncode == 20 and "gate calls" not in done.stderr
    assert "alpha would refuse its harmless call: 5 is not of type 'string' (at text)" in done.stderr


def test_the_rows_of_its_calls_are_counted_by_tool(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statements that the host sends to psql, on the log that the gateway has written."""
    url = database.url()

    class Psql:
        def run(self, lines: Sequence[str], doing: str, seconds: float) -> str:
            return "\n".join(str(row[0]) for line in lines for row in database.query(url, line))

    monkeypatch.setattr("hostctl.postgres.psql.Database.connect", lambda socket, request: Psql())  # pyright: ignore
    request = AuditRequest(DatabaseRequest("sentinel-postgres", "sentinel", "sentinel"), 5)
    with running_bridge(tmp_path, [stdio_backend("alpha")], url) as bridge:
        assert audit(request) == {"last": 0, "rows": {}}
        assert World(tmp_path, bridge.url).run("gates").returncode == 0
    assert audit(request) == {"last": 2, "rows": {"alpha_echo": 2}}
    assert audit(replace(request, after=1))["rows"] == {"alpha_echo": 1}


def test_a_server_that_ends_with_its_first_call_fails_at_the_second(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the published gateway's own child does when it writes to stderr: no launcher starts it again here."""
    monkeypatch.setattr(gates, "PAUSE_SECONDS", 2.0)
    backend = {
        "name": "alpha", "type": "stdio", "command": sys.executable, "args": [str(ENDING_SERVER)], "timeout_secs": 2,
    }  # fmt: skip
    with running_bridge(tmp_path, [backend], database.url()) as bridge:
        world = World(tmp_path, bridge.url)
        world.probes[0] |= {"tool": "once", "arguments": {}, "expect": {"contains": ["once"]}}
        done = world.run("gates")
    assert done.returncode == 20, done.stderr
    assert "the gate calls failed: alpha answers once, and then no more: " in done.stderr


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
        ("contextforge", {"rolled_back": True}, "this is the rollback, which no gate may delay"),
    ],
)
def test_a_serving_container_and_the_rollback_skip_all_gates(
    world: World, active: str, facts: dict[str, Any], reason: str
) -> None:
    world.answers["gates inspect"] |= facts
    done = world.run("gates", active=active)
    assert (done.returncode, world.calls()) == (0, ["gates inspect"])
    assert reason in done.stderr
