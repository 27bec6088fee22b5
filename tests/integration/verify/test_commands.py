"""`baseline`, `verification` and `check` as programs, with a real bridge and gateway; the host's answers are canned."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.base.probes import probes
from hostctl.core import requests
from settings import SECRET_KEYS, load
from tests.integration.bridge.client import token
from tests.integration.verify.world import TOOLS, World, baseline
from tests.unit.settings.cases import SQLITE, THINKING, configuration
from verify import report


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
    world.answers["baseline read"] = {"baseline": None, "predecessor_serves": False}
    done = world.run("baseline")
    assert done.returncode == 1 and done.stderr.startswith("ContextForge is out of service and no baseline was kept")
    rollback = world.run("baseline", active="contextforge")
    assert (rollback.returncode, rollback.stdout) == (0, "null\n")


def test_a_rollback_that_handed_the_port_over_first_keeps_its_baseline(world: World) -> None:
    """ContextForge serves, and Claude's entry is not its own again yet; a staged stack has none kept and is refused."""
    kept = baseline(world)
    del world.answers["claude show"]
    world.answers["baseline read"] = {"baseline": kept, "predecessor_serves": True}
    done = world.run("baseline", active="contextforge")
    assert json.loads(done.stdout) == kept and "the kept one stays valid" in done.stderr
    assert world.run("baseline", active="sentinel").returncode == 1
    world.answers["baseline read"] = {"baseline": None, "predecessor_serves": True}
    assert world.run("baseline", active="contextforge").returncode == 1


def test_a_verification_has_every_part_and_the_table(world: World) -> None:
    done = world.run("verification", active="sentinel")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["ok"], found["active"], found["tokens"]["refused"]) == (
        True,
        "sentinel",
        ["wrong", "the predecessor's", "another of the predecessor's"],
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


def test_a_backend_that_hangs_leaves_the_others_their_results(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway takes one call at a time; the adapter ends an HTTP backend's call with the client's patience."""
    monkeypatch.setattr("components.base.probes.CALL_SECONDS", 1)
    hanging = {**SQLITE, "tool": "alpha_slow", "arguments": {"seconds": 60}, "timeout_seconds": 150}
    answering = {**THINKING, "tool": "alpha_echo", "arguments": {"text": "x"}}
    raw = configuration(backends=[hanging, answering])
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
            {"ok": True, "not_checked": "the probe could not run: no container is on this host"},
            "firewall  not checked: the probe could not run: no container is on this host",
        ),
    ],
    ids=["closed", "open", "not-probed"],
)
def test_the_hosts_own_addresses_are_probed_on_request(
    world: World, probed: Any, code: int, found: dict[str, Any], line: str
) -> None:
    world.answers |= {"firewall probe": probed, "firewall guard": {}}
    assert "firewall" not in json.loads(world.run("check").stdout)
    done = world.run("check", own_ports=[9200, 9201])
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["firewall"]) == (code, code == 0, found)
    assert any(one.startswith(line) for one in report.text(document).splitlines())


GUARD = {"ports": [9200, 9201], "interfaces": ["eth0", "eth1"], "unmet": []}


@pytest.mark.parametrize(
    ("answer", "code", "line"),
    [
        (GUARD, 0, "firewall  ok · guard: holds: packets on eth0, eth1 meet the rules of 2 ports · "),
        ({**GUARD, "unmet": ["ip6tables: FORWARD to DOCKER-USER"]}, 13,
         "firewall  NOT OK · guard: does not hold, 1 without effect, first ip6tables: FORWARD to DOCKER-USER · "),
        ("sudo needs a password", 0, "firewall  ok · guard: not checked: sudo needs a password · "),
    ],
    ids=["holds", "stands only", "not-listed"],
)  # fmt: skip
def test_a_guard_that_holds_is_distinguished_from_one_that_merely_stands(
    world: World, answer: Any, code: int, line: str
) -> None:
    world.answers |= {"firewall probe": PROBED, "firewall guard": answer}
    done = world.run("check", own_ports=[9200, 9201])
    assert done.returncode == code
    assert any(one.startswith(line) for one in report.text(json.loads(done.stdout)).splitlines())


def test_a_backend_broken_at_contextforge_already_need_not_be_better(world: World) -> None:
    world.probes[0]["expect"] = {"contains": ["something else"]}
    done = world.run("verification", baseline=baseline(world, alpha="tool-error"))
    assert done.returncode == 0
    assert json.loads(done.stdout)["backends"][0]["why_allowed"] == "it was tool-error at ContextForge already"
    assert world.run("verification", baseline=baseline(world)).returncode == 7
