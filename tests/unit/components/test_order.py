"""Every edge of the design's graph is a dependency in the program, so that the engine keeps the cutover's order."""

from __future__ import annotations

import json
import shlex
from typing import Any, cast

import pytest

from hostctl.images.build import unpacked_files
from tests.unit.components.registration import Registration, register

AFTER = [
    ("firewall-rules", "host-hostctl"),
    ("firewall-rules", "firewall-interface"),
    ("predecessor-record", "firewall-rules"),
    ("networks-edge", "firewall-rules"),
    ("networks-internal", "firewall-rules"),
    ("sentinel-postgres-container", "firewall-rules"),
    ("predecessor-record", "host-hostctl"),
    ("sentinel-postgres-container", "predecessor-record"),
    ("sentinel-postgres-container", "sentinel-postgres-files-written"),
    ("sentinel-gateway", "sentinel-postgres-container"),
    ("sentinel-gateway", "sentinel-files-written"),
    ("sentinel-standby", "sentinel-gateway"),
    ("sentinel-standby", "sentinel-sidecars"),
    ("sentinel-token", "sentinel-files-written"),
    ("baseline-recorded", "predecessor-record"),
    ("baseline-kept", "baseline-recorded"),
    ("sentinel-postgres-container", "baseline-kept"),
    ("gates-passed", "sentinel-standby"),
    ("gates-passed", "sentinel-token"),
    ("gates-passed", "sentinel-postgres-container"),
    ("gates-passed", "baseline-recorded"),
    ("handover-port", "gates-passed"),
    ("rollback-check", "predecessor-record"),
    ("claude-record-entries", "rollback-check"),
    ("gates-passed", "claude-record-entries"),
    ("verification-expected", "claude-entry"),
    ("verification-backends", "verification-expected"),
    ("verification-backends", "claude-entry"),
    ("nightly-installed", "verification-backends"),
    ("nightly-installed", "sentinel-prometheus-up"),
    ("sentinel-gateway", "sentinel-configuration-written"),
    ("sentinel-live-reload", "sentinel-configuration-written"),
    ("sentinel-live-reload", "sentinel-standby"),
    ("sentinel-live-reload", "sentinel-token"),
    ("handover-port", "sentinel-live-reload"),
    ("handover-port", "sentinel-standby"),
    ("handover-port", "sentinel-token"),
    ("handover-port", "predecessor-record"),
    ("handover-port", "networks-edge"),
    ("sentinel-prometheus-container", "sentinel-standby"),
    ("sentinel-prometheus-container", "sentinel-prometheus-check"),
    ("sentinel-prometheus-container", "sentinel-prometheus-marks"),
    ("sentinel-prometheus-check", "sentinel-prometheus-files-written"),
    ("sentinel-prometheus-up", "sentinel-prometheus-container"),
    ("sentinel-grafana-container", "sentinel-prometheus-up"),
    ("sentinel-grafana-container", "sentinel-grafana-files-written"),
    ("sentinel-grafana-container", "discord-files-written"),
    ("discord-check", "discord-files-written"),
    ("sentinel-grafana-password", "sentinel-grafana-container"),
    ("cutover-mark-file", "handover-port"),
    ("cutover-mark-file", "sentinel-prometheus-up"),
    ("health-watch-workflow", "verification-backends"),
    ("health-watch-workflow", "health-watch-files-written"),
    ("health-watch-workflow", "discord-files-written"),
    ("health-watch-workflow", "health-watch-reached-n8n_default"),
    ("health-watch-reached-n8n_default", "sentinel-prometheus-container"),
    ("health-watch-reached-n8n_default", "sentinel-grafana-container"),
    ("claude-record-entries", "predecessor-record"),
    ("handover-port", "claude-record-entries"),
    ("claude-token", "handover-port"),
    ("claude-permissions-rules", "gates-passed"),
    ("claude-permissions-rules", "claude-record-entries"),
    ("handover-port", "claude-permissions-rules"),
    ("claude-entry", "claude-token"),
    ("claude-entry", "claude-record-entries"),
    ("reboot-check-armed", "discord-files-written"),
    ("reboot-check-armed", "verification-backends"),
    ("reboot-check-armed", "sentinel-grafana-container"),
]


@pytest.fixture(scope="module")
def cutover() -> Registration:
    return register()


@pytest.mark.parametrize(("later", "earlier"), AFTER, ids=[f"{later}-after-{earlier}" for later, earlier in AFTER])
def test_the_later_resource_waits_for_the_earlier(cutover: Registration, later: str, earlier: str) -> None:
    assert cutover.named(earlier).urn in cutover.all_before(cutover.named(later).urn)


def test_the_handover_waits_for_no_monitoring(cutover: Registration) -> None:
    before = cutover.all_before(cutover.named("handover-port").urn)
    assert not [urn for urn in before if "prometheus" in urn or "grafana" in urn]


def test_every_action_waits_until_hostctl_is_on_the_host(cutover: Registration) -> None:
    installed = cutover.named("host-hostctl").urn
    first = (installed, cutover.named("host-state-id").urn)
    actions = [one for one in cutover.resources.values() if one.type.startswith("command:") and one.urn not in first]
    assert len(actions) >= 7
    assert [one.name for one in actions if installed not in cutover.all_before(one.urn)] == []


def test_nothing_but_the_components_hangs_directly_below_the_stack(cutover: Registration) -> None:
    stack = cutover.stack().urn
    types = {one.type for one in cutover.resources.values() if one.parent == stack}
    assert all(type_.startswith("sentinel-cutover:index:") for type_ in types)


def test_with_contextforge_active_no_handover_is_in_the_program_and_sentinel_stays_standby() -> None:
    staged = register({"active": "contextforge"})
    names = {one.name for one in staged.resources.values()}
    assert "handover-port" not in names
    assert not {name for name in names if name.startswith("claude")}
    assert not {name for name in names if name.startswith(("cutover-mark", "nightly", "health-watch"))}
    assert {"sentinel-standby", "sentinel-prometheus-up", "sentinel-grafana-container"} <= names


def test_a_sentinel_that_is_stopped_on_purpose_is_not_waited_for() -> None:
    def jobs(standby: str) -> list[str]:
        program = register({"active": "contextforge", "sentinel.standby": standby})
        return json.loads(program.named("sentinel-prometheus-up").inputs["stdin"])["jobs"]

    assert (jobs("true"), jobs("false")) == (["sentinel", "prometheus"], ["prometheus"])


def test_a_rollback_repeats_the_gates_alone_which_know_it_by_active() -> None:
    cut_over, staged = register(), register({"active": "contextforge"})
    documents = [json.loads(one.named("gates-passed").inputs["stdin"]) for one in (cut_over, staged)]
    assert [document.pop("active") for document in documents] == ["sentinel", "contextforge"]
    assert documents[0] == documents[1]
    same = {"baseline-kept", "predecessor-record", "sentinel-standby", "sentinel-token"}
    assert all(cut_over.named(name).inputs == staged.named(name).inputs for name in same)
    names = {one.name for one in staged.resources.values()}
    assert not names & {"rollback-check", "verification-expected", "verification-backends"}


@pytest.mark.parametrize("left_out", [{"verification.baseline": "false"}, {"predecessor.kind": "absent"}], ids=str)
def test_without_a_baseline_everything_else_stays(left_out: dict[str, str]) -> None:
    program = register(left_out)
    names = {one.name for one in program.resources.values()}
    assert not {name for name in names if name.startswith("baseline")}
    for name in ("gates-passed", "verification-backends"):
        assert json.loads(program.named(name).inputs["stdin"])["baseline"] is None
    absent = left_out.get("predecessor.kind") == "absent"
    rollback = json.loads(program.named("verification-backends").inputs["stdin"])["rollback"]
    assert rollback == ("" if absent else "make rollback STACK=test")
    gateway = json.loads(program.named("gates-passed").inputs["stdin"])["gateway"]
    assert gateway == ("" if absent else "mcp-context-forge-gateway-1")


def test_a_retired_predecessor_is_in_no_record_that_a_delete_would_put_back() -> None:
    program = register({"predecessor.kind": "absent"})
    for name in ("claude-record-entries", "claude-entry"):
        stdin = program.named(name).inputs["stdin"]
        assert json.loads(stdin if isinstance(stdin, str) else cast("dict[str, Any]", stdin)["value"])["replaces"] == ""
    assert json.loads(program.named("predecessor-record").inputs["stdin"])["kind"] == "absent"


def test_sidecars_join_the_edge_only_where_configured() -> None:
    assert not [one for one in register().resources.values() if one.name == "sentinel-sidecars-out"]
    program = register({"networks.sidecars_out": "true"})
    document = json.loads(program.named("sentinel-sidecars-out").inputs["stdin"])
    assert (document["network"], document["members"]) == (
        "sentinel-edge",
        [{"container": "mcp-sqlite", "aliases": []}],
    )
    assert program.named("sentinel-sidecars-out").urn in program.all_before(program.named("sentinel-standby").urn)


def test_the_verification_is_repeated_when_image_configuration_backends_or_token_changed(
    cutover: Registration,
) -> None:
    document = json.loads(cutover.named("verification-backends").inputs["stdin"])
    assert set(document["because"]) == {"containers", "files", "token"}
    assert [one["image"] for one in document["because"]["containers"]] == [
        "sha256:sentinel-image-bridge",
        "sha256:sentinel-postgres-image",
    ]
    assert document["because"]["files"]
    assert [probe["name"] for probe in document["probes"]] == ["sqlite", "sequential-thinking"]


def test_without_standby_sentinel_is_declared_and_not_started() -> None:
    stopped = register({"active": "contextforge", "sentinel.standby": "false"})
    names = {one.name for one in stopped.resources.values()}
    assert "sentinel-gateway" in names
    assert "sentinel-standby" not in names


def test_the_watch_reaches_names_from_n8ns_container_and_loopback_from_the_host_itself(cutover: Registration) -> None:
    def addresses(program: Registration) -> list[str]:
        nodes = json.loads(program.named("health-watch-workflow").inputs["stdin"])["workflow"]["nodes"]
        targets = nodes[1]["parameters"]["jsCode"].removeprefix("return ").rstrip(";\n")
        return [one["json"]["url"] for one in json.loads(targets)]

    assert addresses(cutover) == [
        "http://sentinel-gateway:9201/health",
        "http://prometheus:9090/-/ready",
        "http://grafana:3000/api/health",
    ]
    beside = register({"health_watch.in_container": "false"})
    assert addresses(beside) == [
        "http://127.0.0.1:9201/health",
        "http://127.0.0.1:9090/-/ready",
        "http://127.0.0.1:3100/api/health",
    ]
    assert not {one.name for one in beside.resources.values() if one.name.startswith("health-watch-reached")}
    alone = register({"prometheus.enabled": "false", "grafana.enabled": "false"})
    assert addresses(alone) == ["http://sentinel-gateway:9201/health"]


def test_the_program_is_the_same_over_ssh() -> None:
    remote = register(
        {
            "host.kind": "ssh",
            "host.address": "203.0.113.10",
            "host.user": "operator",
            "host.private_key_file": __file__,
            "host.host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
        }
    )
    actions = [one for one in remote.resources.values() if one.type.startswith("command:")]
    assert {one.type for one in actions} == {"command:local:Command"}
    there = ".venv/bin/python -S -m verify.link run operator 203.0.113.10 22 "
    here = [one for one in actions if not one.inputs["create"].startswith(there)]
    verifying = ["baseline-recorded", "gates-passed", "verification-backends"]
    assert sorted(one.name for one in here) == sorted(["host-state-id", *verifying])
    for one in map(remote.named, verifying):
        assert one.inputs["create"].startswith(".venv/bin/python -m verify ")
        assert json.loads(one.inputs["stdin"])["host"]["address"] == "203.0.113.10"
    docker = remote.named("host-docker").inputs
    assert docker["host"] == "ssh://operator@203.0.113.10:22"
    assert {"StrictHostKeyChecking=yes", "ControlMaster=no"} <= set(json.loads(docker["sshOpts"]))
    handover = remote.named("handover-port").inputs
    for line, action in ((handover["create"], "cutover"), (handover["delete"], "rollback")):
        assert shlex.split(line)[-6:] == [
            "python3",
            "-I",
            "-S",
            "/var/lib/sentinel-cutover/hostctl.pyz",
            "handover",
            action,
        ]


def test_a_file_that_claude_ignores_is_a_warning_and_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", warned.append)
    file = "/home/operator/.claude/settings.json"
    program = register({"client.file": file})
    assert warned == [f"client.file is {file}: today's Claude Code ignores mcpServers there; it reads ~/.claude.json."]
    assert file in program.named("claude-entry").inputs["stdin"]


@pytest.mark.parametrize(
    ("chosen", "layers"),
    [
        ({}, ["sentinel-image-programs", "sentinel-image-bridge"]),
        ({"sentinel.layers": "bridge"}, ["sentinel-image-bridge"]),
        ({"sentinel.layers": "none"}, []),
        ({"sentinel.serve": "native"}, []),
    ],
    ids=str,
)
def test_each_layer_is_built_over_the_one_below_and_the_last_is_what_the_container_runs(
    chosen: dict[str, str], layers: list[str]
) -> None:
    program = register(chosen)
    built = [one.name for one in program.resources.values() if one.name.startswith("sentinel-image-")]
    assert built == ["sentinel-image-ready", *layers]
    image = "sha256:sentinel-image"
    for name in layers:
        document = json.loads(program.named(name).inputs["stdin"])
        assert (document["base"], document["base_name"]) == (image, "sentinel-gateway:0.1.0")
        assert "FROM ${BASE}" in unpacked_files(document["files"])["Dockerfile"]
        image = f"sha256:{name}"
    assert program.named("sentinel-gateway").inputs["image"] == image


@pytest.mark.parametrize("active", ["sentinel", "contextforge"])
def test_a_boot_is_checked_whoever_has_the_port(active: str) -> None:
    document = json.loads(register({"active": active}).named("reboot-check-armed").inputs["stdin"])
    assert (document["active"], document["standby"], document["predecessor"]) == (
        active,
        True,
        "mcp-context-forge-gateway-1",
    )
    assert document["containers"] == ["sentinel-postgres", "sentinel-prometheus", "sentinel-grafana", "mcp-sqlite"]
    assert document["probes"][0]["tool"] == {"sentinel": "list_tables", "contextforge": "sqlite-list-tables"}[active]
    assert document["claude"]["entry"] == {"sentinel": "sentinel", "contextforge": "contextforge"}[active]
