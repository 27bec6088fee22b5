"""The exported state: a component's plain outputs, and the refusal of another host."""

from __future__ import annotations

from typing import Any

import pytest

from console.errors import UserError
from ops.engine import state
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration

SETTINGS = load(configuration(), SECRET_KEYS)
RECORD: dict[str, Any] = {"kind": "contextforge", "containers": []}


def component(name: str, **outputs: Any) -> dict[str, Any]:
    return {"type": f"sentinel-cutover:index:{name}", "outputs": outputs}


def test_a_components_outputs_come_without_the_secret_ones() -> None:
    hidden = {state.SECRET: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}
    found = state.component([component("Nightly", report={"trigger": "cron"}, key=hidden)], "Nightly")
    assert found == {"report": {"trigger": "cron"}}


def test_an_output_that_a_run_with_targets_left_unknown_is_none() -> None:
    found = state.component([component("ClaudeClient", entry_request=state.UNKNOWN, token="kept")], "ClaudeClient")
    assert found == {"token": "kept"}


def test_of_two_components_the_one_that_waits_to_be_deleted_is_not_read() -> None:
    old = {**component("Handover", request={"container": "old"}), "delete": True}
    new = component("Handover", request={"container": "new"})
    assert state.handover_request([old, new], SETTINGS) == {"container": "new"}


def test_before_a_cutover_the_handovers_request_is_made_of_settings_and_record() -> None:
    request = state.handover_request([component("Predecessor", record=RECORD)], SETTINGS)
    assert (request["container"], request["predecessor"], request["port"]) == ("", RECORD, SETTINGS.sentinel.port)
    assert state.handover_request([], SETTINGS)["predecessor"] == {"kind": "absent"}


def test_an_empty_state_has_no_component_and_no_outputs() -> None:
    assert (state.component([], "Handover"), state.outputs_in({})) == ({}, {})
    with pytest.raises(UserError, match="Stack prod is not deployed; `make up STACK=prod` deploys it"):
        state.require_deployed("prod", {})


@pytest.mark.parametrize("deployed", ["local", None])
def test_a_stack_keeps_its_host(deployed: str | None) -> None:
    state.require_same_host("prod", deployment(deployed), SETTINGS)


def test_another_host_is_refused_with_both_ways_on() -> None:
    with pytest.raises(UserError) as refused:
        state.require_same_host("prod", deployment("ssh"), SETTINGS)
    assert str(refused.value).startswith("Stack prod is deployed with host.kind ssh and cannot change it to local")
    assert "pulumi config set host.kind ssh" in str(refused.value) and "make down STACK=prod" in str(refused.value)


def deployment(kind: str | None) -> dict[str, Any]:
    return {"resources": [{"type": "pulumi:pulumi:Stack", "outputs": {"host": kind} if kind else {}}]}
