"""A stack that was deployed by an earlier program: today's, previewed against its state, replaces and deletes nothing.

The states were recorded on the lab by `python -m lab.recorded_states`, each with the configuration that it was made
with. What travels in a state only to be sent to the host (`hostctl`, the image's layers) is taken as it is today.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest
import yaml

from console.paths import ROOT
from lab.recorded_states.fixed import SOCKET, STATES, secret
from settings import SECRET_KEYS
from tests.engine.recorded import Project, project
from tests.engine.registered_state import deployed
from tests.unit.components.registration import register
from tests.unit.settings.cases import SMALLEST
from toolchain import find

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        bool(find.missing(find.programs())), reason="the engine is not there yet; `make test` provides it"
    ),
]

MOMENTS = ("staged", "cut_over", "rolled_back")
_RULES = "the rules of three alerts are new (rollback, audit rows, firewall): changed files make a new container"
_LAUNCHER = "each stdio server became a user of its own, and the container's first process root"
MUST_BE_REPLACED: dict[str, dict[str, str]] = {
    moment: {f"sentinel-grafana-{part}": _RULES for part in ("files-written", "password", "container")}
    | dict.fromkeys(
        ("sentinel-gateway", "sentinel-configuration-written", "sentinel-files-written", "sentinel-standby"), _LAUNCHER
    )
    for moment in MOMENTS
}
"""By moment: names of the resources that today's program has to replace or to delete, each with the reason. A reason
that no longer holds fails the test, as a replacement without one does; after a new recording the lists are empty."""
_HARMLESS = {"same", "create", "update", "refresh", "read"}


@pytest.fixture
def stack() -> Generator[Project]:
    with project() as made:
        yield made


@pytest.mark.parametrize("moment", MOMENTS)
def test_todays_program_replaces_and_deletes_nothing_of_a_recorded_stack(stack: Project, moment: str) -> None:
    file = STATES / f"{moment}.json"
    if not file.exists():
        pytest.skip(f"{file.relative_to(ROOT)} is not recorded yet: python -m lab.recorded_states")
    made_with = yaml.safe_load(file.with_suffix(".yaml").read_text(encoding="utf-8"))
    stack.configure(made_with["config"], made_with["secrets"])
    stack.import_state(json.loads(file.read_text(encoding="utf-8")))
    assert harmful(stack.preview()).keys() == MUST_BE_REPLACED[moment].keys()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"sentinel.health_interval_seconds": 20}, {"sentinel-gateway": "replace", "sentinel-standby": "replace"}),
        ({"reboot.enabled": False}, {f"reboot-check{part}": "delete" for part in ("", "-armed")}),
    ],
    ids=["nothing", "another health check", "a part taken out"],
)
def test_the_preview_finds_what_a_changed_program_would_replace_or_delete(
    stack: Project, changes: dict[str, Any], expected: dict[str, str]
) -> None:
    """The state is made from what the program registers, since it need not have been deployed for this."""
    configuration = SMALLEST | {"host.docker_socket": SOCKET}
    secret_keys = [key for key in SECRET_KEYS if key in configuration]
    configuration |= {key: secret(key) for key in secret_keys}
    plain = {key: value for key, value in (configuration | changes).items() if key not in secret_keys}
    stack.configure({f"sentinel-cutover:{key}": value for key, value in plain.items()}, secret_keys)
    stack.import_state(deployed(register(configuration)))
    found = harmful(stack.preview())
    assert found == expected


def harmful(steps: dict[str, str]) -> dict[str, str]:
    """The steps that take something away, by the resource's name."""
    return {urn.rpartition("::")[2]: op for urn, op in steps.items() if op not in _HARMLESS}
