"""`Pulumi.fleet.yaml`: its values by key, and what it may not hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from settings import shared
from settings.reference_page import project_text
from tests.unit.settings.cases import SQLITE


def write(folder: Path, text: str) -> Path:
    (folder / shared.FILE).write_text(text)
    return folder


def test_sections_are_opened_and_lists_stay_one_value(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        yaml.safe_dump(
            {
                "config": {
                    "sentinel-cutover:host": {"kind": "ssh", "port": 2222},
                    "sentinel-cutover:sentinel.memory_mb": 2048,
                    "alerts": {"error_share": 0.2},
                    "sentinel-cutover:backends": [SQLITE],
                }
            }
        ),
    )
    assert shared.read(folder) == {
        "host.kind": "ssh",
        "host.port": 2222,
        "sentinel.memory_mb": 2048,
        "alerts.error_share": "0.2",
        "backends": [SQLITE],
    }


def test_without_a_file_nothing_is_shared_and_the_project_file_is_the_models(tmp_path: Path) -> None:
    assert shared.read(tmp_path) == {} and shared.FILE not in project_text({})


def test_a_shared_value_takes_the_defaults_place_in_the_project_file() -> None:
    config = yaml.safe_load(project_text({"host.kind": "ssh", "backends": [SQLITE]}))["config"]
    assert config["host.kind"] == {"default": "ssh"} and config["backends"] == {"default": [SQLITE]}
    assert config["host.port"]["default"] == 22


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("config: [", "is no YAML"),
        ("- a", "under `config:` and nothing else"),
        ("encryptionsalt: v1\nconfig: {}", "under `config:` and nothing else"),
        ("config: {'sentinel-cutover:jwt_secret': x}", "has a secret, jwt_secret"),
        ("config: {'sentinel-cutover:host': {home: {secure: x}}}", "has a secret, host.home"),
        ("config: {'sentinel-cutover:backends': [{environment: {A: {secure: x}}}]}", "has a secret, backends"),
        ("config: {'aws:region': x}", "has aws:region"),
    ],
)
def test_what_it_may_not_hold_is_refused_with_the_fix(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(shared.SharedRefused, match=sentence):
        shared.read(write(tmp_path, text))
