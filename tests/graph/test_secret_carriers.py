"""Secrets reach the host by a secret stdin only: nothing else that is registered holds one."""

from __future__ import annotations

import json

from tests.graph.registration import register
from tests.unit.settings_cases import SMALLEST

CARRIERS = {"sentinel-files-written", "sentinel-postgres-files-written"}


def test_only_the_actions_that_write_files_carry_secrets_and_they_log_nothing() -> None:
    program = register()
    secrets = [SMALLEST["jwt_secret"], SMALLEST["postgres_password"]]
    carriers = {
        one.name
        for one in program.resources.values()
        if any(secret in json.dumps(one.inputs, default=str) for secret in secrets)
    }
    assert carriers == CARRIERS
    for name in CARRIERS:
        action = program.named(name)
        assert action.inputs["logging"] == "none"
        assert set(action.options.additionalSecretOutputs) >= {"stdout", "stderr"}
        assert all(secret not in action.inputs[word] for secret in secrets for word in ("create", "update", "delete"))


def test_what_claudes_files_hold_comes_back_as_a_secret_and_is_not_logged() -> None:
    program = register()
    for name in ("claude-record-entries", "claude-entry"):
        action = program.named(name)
        assert action.inputs["logging"] == "none"
        assert set(action.options.additionalSecretOutputs) >= {"stdout", "stderr"}


def test_nothing_is_passed_in_environment_variables_or_as_data_in_arguments() -> None:
    program = register()
    actions = [one for one in program.resources.values() if one.type.startswith("command:")]
    assert actions
    for action in actions:
        assert "environment" not in action.inputs
        assert action.inputs["addPreviousOutputInEnv"] is False
