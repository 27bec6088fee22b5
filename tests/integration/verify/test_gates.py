"""`gates` as a program: each gate with a real bridge and gateway; the host's answers are canned."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.bridge.client import token
from tests.integration.verify.world import World, baseline


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
