"""Secrets reach the host by a secret stdin only: nothing else that is registered holds one."""

from __future__ import annotations

import json

from tests.unit.components.registration import RECORD, register
from tests.unit.settings.cases import SMALLEST

CARRIERS = {
    "sentinel-files-written": ("jwt_secret", "postgres_password", "health_token"),
    "sentinel-postgres-files-written": ("postgres_password",),
    "sentinel-prometheus-files-written": ("health_token",),
    "sentinel-grafana-files-written": ("grafana_admin_password", "grafana_secret_key"),
    "discord-files-written": ("discord_webhook",),
    "health-watch-files-written": ("n8n_api_key",),
}
"""The actions that receive secrets, and which; each writes them into files."""


def test_each_secret_goes_to_the_actions_that_it_is_for_and_they_log_nothing() -> None:
    given = {**SMALLEST, "health_token": "health-" + "h" * 40}
    secrets = {key: given[key] for key in {key for keys in CARRIERS.values() for key in keys}}
    program = register({"health_token": given["health_token"]})
    carried = {
        one.name: {key for key, secret in secrets.items() if secret in json.dumps(one.inputs, default=str)}
        for one in program.resources.values()
    }
    assert {name: keys for name, keys in carried.items() if keys} == {
        name: set(keys) for name, keys in CARRIERS.items()
    }
    for name in CARRIERS:
        action = program.named(name)
        assert action.inputs["logging"] == "none"
        assert set(action.options.additionalSecretOutputs) >= {"stdout", "stderr"}
        lines = [action.inputs.get(word) or "" for word in ("create", "update", "delete")]
        assert not [line for line in lines for secret in secrets.values() if secret in line]


def test_of_what_claudes_files_were_the_program_knows_the_place_and_the_hash_alone() -> None:
    assert json.loads(register().named("claude-entry").inputs["stdin"])["record"] == RECORD


def test_nothing_is_passed_in_environment_variables_or_as_data_in_arguments() -> None:
    program = register()
    actions = [one for one in program.resources.values() if one.type.startswith("command:")]
    assert actions
    for action in actions:
        assert "environment" not in action.inputs
        assert action.inputs["addPreviousOutputInEnv"] is False
