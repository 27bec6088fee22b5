"""Settings that make a new container, and settings that reach the one that runs."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from tests.unit.components.registration import Registration, register

SWITCH = {"sentinel.kill_switch": json.dumps({"disabled_tools": ["write_query"], "disabled_backends": ["sqlite"]})}
RATES = {"sentinel.rate_limits": json.dumps({"default_rpm": 600, "per_tool": {"list_tables": 5}})}


@pytest.fixture(scope="module")
def before() -> Registration:
    return register()


def document(program: Registration, name: str) -> dict[str, Any]:
    stdin: Any = program.named(name).inputs["stdin"]
    # A secret has its mark around it.
    return json.loads(stdin if isinstance(stdin, str) else stdin["value"])


def toml(program: Registration) -> dict[str, Any]:
    files = {one["name"]: one["content"] for one in document(program, "sentinel-configuration-written")["files"]}
    return tomllib.loads(files["sentinel-main.toml"])


FILE_AND_SIGNAL = {"sentinel-configuration-written", "sentinel-live-reload"}
REQUESTS = {"baseline-recorded", "gates-passed", "verification-backends"}
"""Run again with a switched-off backend as an optional one: it is not expected to answer."""


@pytest.mark.parametrize(
    ("live", "expected"),
    [(SWITCH, FILE_AND_SIGNAL | REQUESTS | {"reboot-check-armed"}), (RATES, FILE_AND_SIGNAL)],
    ids=["kill-switch", "rate-limits"],
)
def test_a_live_setting_changes_a_file_in_place_and_signals_and_touches_no_container(
    before: Registration, live: dict[str, str], expected: set[str]
) -> None:
    after = register(live)
    assert after.inputs.keys() == before.inputs.keys()
    changed = {one.name for one in after.resources.values() if one.inputs != before.named(one.name).inputs}
    assert changed == expected
    for name in changed:
        assert after.named(name).type == "command:local:Command"
        assert after.named(name).inputs.get("triggers") == before.named(name).inputs.get("triggers")
    # Another trigger would replace: the folder would be written again and then removed under the running gateway.
    written = [program.named("sentinel-configuration-written").inputs["triggers"] for program in (before, after)]
    assert written[0] == written[1]
    assert after.named("sentinel-live-reload").inputs.get("triggers") is None


def test_only_the_switched_off_backend_may_fail_in_every_request() -> None:
    after = register(SWITCH)
    for name in {*REQUESTS, "reboot-check-armed"}:
        allowed = {one["name"]: one["reason"] for one in document(after, name)["probes"] if one["optional"]}
        assert allowed == {"sqlite": "switched off by sentinel.kill_switch"}, name


def test_every_probe_names_the_tools_that_the_kill_switch_hides() -> None:
    for name in REQUESTS:
        disabled = {tuple(one["disabled_tools"]) for one in document(register(SWITCH), name)["probes"]}
        assert disabled == {("write_query",)}, name


def test_what_the_gateway_reads_only_at_its_start_makes_another_folder_and_another_container(
    before: Registration,
) -> None:
    after = register({"sentinel.log_level": "debug"})
    for name, key in (("sentinel-configuration-written", "triggers"), ("sentinel-gateway", "labels")):
        assert after.named(name).inputs[key] != before.named(name).inputs[key]
    mounted = {mount["target"]: mount["source"] for mount in after.named("sentinel-gateway").inputs["mounts"]}
    assert mounted["/etc/sentinel"] == document(after, "sentinel-configuration-written")["folder"]


def test_the_file_says_what_the_settings_say() -> None:
    read = toml(register({**SWITCH, **RATES}))
    assert read["kill_switch"] == {"disabled_tools": ["write_query"], "disabled_backends": ["sqlite"]}
    assert read["rate_limits"] == {"default_rpm": 600, "per_tool": {"list_tables": 5}}


def test_the_proof_of_a_reload_is_the_gateways_own_list() -> None:
    request = document(register(SWITCH), "sentinel-live-reload")
    assert request["hidden"] == ["list_tables", "write_query"]
    assert request["listed"] == ["sequentialthinking"]
