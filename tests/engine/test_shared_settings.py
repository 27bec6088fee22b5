"""Values that all stacks share: the engine's own merge, the origin of each value, the history, and no secret shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.paths import ROOT
from ops.commands.up import up
from ops.engine import environment, origins, prerequisites, run, shared_settings, stack_file
from ops.engine.history import updates_of
from ops.engine.origins import Origin
from ops.engine.stack_secrets import runner, set_secret
from settings import SECRET_KEYS, load, shared
from settings.reference_page import project_text
from tests.engine.test_run import project, pytestmark, quiet
from tests.unit.settings.cases import SMALLEST, SQLITE, THINKING

__all__ = ["project", "pytestmark"]

PROGRAM = 'import pulumi\npulumi.export("active", "sentinel")\npulumi.export("handover", {"downtime_ms": 1})\n'
CHOICES: dict[str, list[Any]] = {
    "active": ["sentinel", "contextforge"],
    "host.kind": ["local", "ssh"],
    "host.port": [22, 2222],
    "host.home": ["/home/one", "/home/two"],
    "networks.also": [["n8n_default"], ["n8n_default", "other"]],
    "reboot.enabled": [True, False],
    "alerts.error_share": ["0.1", "0.2"],
    "backends": [[SQLITE], [SQLITE, THINKING]],
}
"""Keys of every kind, with values that differ."""
SSH = {
    "host.address": "vps",
    "host.user": "root",
    "host.private_key_file": "/root/key",
    "host.host_key": "ssh-ed25519 " + "A" * 68,
}
VALUES = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in CHOICES.items()})


@pytest.fixture
def clone(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the product's own project file, and a program that registers nothing."""
    (project / "Pulumi.yaml").write_text(project_text({}))
    (project / "__main__.py").write_text(PROGRAM)
    (project / ".venv").symlink_to(ROOT / ".venv")
    monkeypatch.setattr(prerequisites, "ROOT", project)
    write(project, {})
    run.open_stack("elsewhere", quiet(project)[0])
    return project


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """The values as a person writes them: a section is one key."""
    config: dict[str, Any] = {}
    for key, value in values.items():
        section, _, inner = key.partition(".")
        if inner:
            config.setdefault(f"sentinel-cutover:{section}", {})[inner] = value
        else:
            config[f"sentinel-cutover:{key}"] = value
    return config


def write(folder: Path, own: dict[str, Any], common: dict[str, Any] | None = None, *, dotted: bool = False) -> None:
    config = {f"sentinel-cutover:{key}": value for key, value in own.items()} if dotted else nested(own)
    (folder / "Pulumi.elsewhere.yaml").write_text(yaml.safe_dump({"config": config}))
    file = folder / shared.FILE
    file.unlink(missing_ok=True)
    if common is not None:
        file.write_text(yaml.safe_dump({"config": nested(common)}))
    shared_settings.apply(folder)


def as_text(value: object) -> object:
    """A scalar as text, since a literal dotted key's value is one."""
    return str(value).lower() if isinstance(value, str | int) else value


def shown(folder: Path) -> dict[str, Origin]:
    return {one.key: one for one in origins.origins("elsewhere", folder)}


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(own=VALUES, common=VALUES, dotted=st.booleans())
def test_a_stacks_own_value_wins_then_the_shared_one_then_the_models_default(
    clone: Path, own: dict[str, Any], common: dict[str, Any], dotted: bool
) -> None:
    write(clone, own, common, dotted=dotted)
    found, values = shown(clone), stack_file.read("elsewhere").values
    for key in CHOICES:
        if key in own or key in common:
            place = "Pulumi.elsewhere.yaml" if key in own else shared.FILE
            value = own.get(key, common.get(key))
            assert (found[key].place, as_text(found[key].value)) == (place, as_text(value)), key
        else:
            assert found[key].place in ("default", "not set"), key
    needed = {key: SMALLEST[key] for key in SMALLEST if key not in (*own, *common)}
    loaded = load({**needed, **values, **SSH}, SECRET_KEYS)
    assert loaded.active == own.get("active", common.get("active", "sentinel"))
    assert loaded.host.port == own.get("host.port", common.get("host.port", 22))
    assert len(loaded.backends) == len(own.get("backends", common.get("backends", SMALLEST["backends"])))


def test_the_history_has_shared_values_so_that_a_rollback_restores_them(clone: Path) -> None:
    write(clone, {"active": "sentinel"}, {"host.port": 2222})
    assert up("elsewhere", quiet(clone)[0], yes=True).ok
    update = updates_of(run.open_stack("elsewhere", quiet(clone)[0]), "elsewhere")[0]
    assert update.settings["host"]["port"] in (2222, "2222")
    write(clone, {"active": "sentinel"}, {"host.port": 2223})
    candidate = stack_file.candidate("elsewhere", update.settings)
    assert stack_file.read("elsewhere", candidate).values["host"]["port"] == 2222


def test_a_secret_is_named_with_its_origin_and_never_shown(clone: Path) -> None:
    write(clone, {"jwt_secret": "in-the-clear-by-mistake"})
    set_secret("elsewhere", "exa_api_key", "swordfish", runner("elsewhere", environment.complete("elsewhere"), clone))
    found = shown(clone)
    assert found["exa_api_key"] == Origin("exa_api_key", None, "Pulumi.elsewhere.yaml", secret=True)
    assert found["jwt_secret"].place == "Pulumi.elsewhere.yaml" and found["firecrawl_api_key"].place == "not set"
    assert not [one for one in found.values() if "swordfish" in str(one.value) or "mistake" in str(one.value)]


def test_the_project_file_is_the_models_again_once_nothing_is_shared(clone: Path) -> None:
    write(clone, {}, {"host.kind": "ssh"})
    assert shared.FILE in (clone / "Pulumi.yaml").read_text()
    write(clone, {})
    assert (clone / "Pulumi.yaml").read_text() == project_text({})
