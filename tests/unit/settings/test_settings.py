"""Accepted settings, and the reading of Pulumi's raw configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pulumi
import pytest
import yaml
from pydantic import ValidationError

from settings import SECRET_KEYS, SettingsError, load, load_from_pulumi, load_or_stop, ports_of, shared, warnings
from settings.reference_page import configuration_text, project_text
from tests.unit.settings.cases import SQLITE, configuration, refusal

ROOT = Path(__file__).resolve().parents[3]


def test_the_smallest_configuration_is_enough() -> None:
    settings = load(configuration(), SECRET_KEYS)
    assert settings.active == "sentinel"
    assert settings.client.file == "/home/operator/.claude.json"
    assert settings.client.token_file == "/home/operator/.mcp-token"
    assert settings.nightly.folder == "/home/operator/backups/sentinel"
    assert ports_of(settings) == {
        "sentinel.port": 9200,
        "sentinel.health_port": 9201,
        "prometheus.port": 9090,
        "grafana.port": 3100,
    }


def test_texts_of_pulumi_become_numbers_booleans_and_objects() -> None:
    raw = {
        "sentinel-cutover:sentinel": json.dumps({"port": "9300", "standby": "false"}),
        "sentinel-cutover:backends": json.dumps([SQLITE]),
        "sentinel-cutover:firewall.guard_ports": "[5678]",
        "docker:host": "unix:///elsewhere",
    }
    own = {f"sentinel-cutover:{key}": value for key, value in configuration(backends=None).items()}
    settings = load({**own, **raw}, [f"sentinel-cutover:{key}" for key in SECRET_KEYS])
    assert (settings.sentinel.port, settings.sentinel.standby) == (9300, False)
    assert settings.firewall.guard_ports == (5678,)
    assert (settings.backends[0].aliases, settings.backends[0].needs_internet) == (("sqlite",), False)


def test_the_literal_dotted_key_wins_over_the_nested_one() -> None:
    raw = configuration(sentinel=json.dumps({"standby": True, "log_level": "warn"}), sentinel__standby="false")
    settings = load(raw, SECRET_KEYS)
    assert (settings.sentinel.standby, settings.sentinel.log_level) == (False, "warn")


def test_an_empty_text_leaves_an_optional_key_unset() -> None:
    settings = load(configuration(host__address="", client__file=""), SECRET_KEYS)
    assert settings.host.address is None
    assert settings.client.file == "/home/operator/.claude.json"


def test_settings_are_immutable_and_print_no_secret() -> None:
    settings = load(configuration(), SECRET_KEYS)
    with pytest.raises(ValidationError, match="1 validation error for Sentinel\\nport"):
        settings.sentinel.port = 1  # type: ignore[misc]  # what the test is about
    assert "j" * 40 not in repr(settings) + str(settings.model_dump())


def test_the_old_settings_file_of_claude_is_allowed_with_a_warning() -> None:
    settings = load(configuration(client__file="/home/operator/.claude/settings.json"), SECRET_KEYS)
    assert [line.partition(":")[0] for line in warnings(settings)] == [
        "client.file is /home/operator/.claude/settings.json"
    ]
    assert warnings(load(configuration(), SECRET_KEYS)) == []


def test_the_configuration_of_mocks_is_read_and_its_plain_secrets_are_refused() -> None:
    own = {f"sentinel-cutover:{k}": json.dumps(v) if k == "backends" else v for k, v in configuration().items()}
    pulumi.runtime.set_all_config(own, [f"sentinel-cutover:{key}" for key in SECRET_KEYS])
    try:
        assert load_from_pulumi().host.home == "/home/operator"
        pulumi.runtime.set_all_config(own, [])
        with pytest.raises(SettingsError, match="as plain text"):
            load_from_pulumi()
        with pytest.raises(SystemExit) as ended:
            load_or_stop()
        assert ended.value.code == 32
    finally:
        pulumi.runtime.set_all_config({}, [])


def test_the_production_stack_lacks_nothing_but_digests_and_secrets() -> None:
    raw = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8"))["config"]
    secrets = {k: v for k, v in configuration().items() if k in SECRET_KEYS} | {"firecrawl_api_key": "fc-" + "f" * 32}
    problems = refusal({**raw, **secrets}).problems
    assert [problem.key for problem in problems] == [
        "postgres.image",
        "prometheus.image",
        "grafana.image",
    ]
    assert len(raw["sentinel-cutover:backends"]) == 7


def test_project_file_and_documentation_are_those_of_the_model() -> None:
    assert (ROOT / "Pulumi.yaml").read_text(encoding="utf-8") == project_text(shared.read(ROOT))
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == configuration_text()


def test_defaults_of_the_project_file_are_the_defaults_of_the_model() -> None:
    declared = yaml.safe_load(project_text({}))["config"]
    defaults = {key: declaration["default"] for key, declaration in declared.items()}
    assert load({**defaults, **configuration()}, SECRET_KEYS) == load(configuration(), SECRET_KEYS)


def test_settings_open_no_file_of_the_host() -> None:
    """The components never read the host: checked by the interpreter's own audit of opened files."""
    program = (
        "import sys; from settings import load; from tests.unit.settings.cases import configuration\n"
        "from settings import SECRET_KEYS; opened = []\n"
        "sys.addaudithook(lambda event, arguments: opened.append(arguments) if event == 'open' else None)\n"
        "load(configuration(), SECRET_KEYS); print(opened)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
