"""A recorded state holds nothing of its machine and no secret, and still fits what the program declares."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.errors import UserError
from hostctl.build import archive
from hostctl.core.packing import packed
from lab.recorded_states import scrubbed
from lab.recorded_states.fixed import FOLDER, SOCKET, secret
from settings import SECRET_KEYS
from tests.engine.registered_state import deployed
from tests.unit.components.registration import register
from tests.unit.settings.cases import SMALLEST

KEYS = [key for key in SECRET_KEYS if key in SMALLEST]
PATHS = {"/run/machine-3f/docker.sock": SOCKET, "/var/machine-3f": FOLDER}
CONTAINER = "4be1" * 16


def state(secrets: dict[str, str], paths: tuple[str, str]) -> dict[str, Any]:
    socket, folder = paths
    return deployed(register({"host.docker_socket": socket, "host.folder": f"{folder}/product", **secrets}))


def values(deployment: dict[str, Any]) -> dict[str, Any]:
    """Inputs and outputs by URN; the program registers in another order each time."""
    return {one["urn"]: (one.get("inputs"), one.get("outputs")) for one in deployment["deployment"]["resources"]}


def test_a_scrubbed_state_is_the_one_that_the_fixed_secrets_and_paths_would_have_made() -> None:
    """Folders named by hashes of contents, which hold secrets, are the ones that the program declares."""
    real, fixed = {key: SMALLEST[key] for key in KEYS}, {key: secret(key) for key in KEYS}
    recorded = state(real, ("/run/machine-3f/docker.sock", "/var/machine-3f"))
    found = scrubbed(recorded, {real[key]: fixed[key] for key in KEYS}, PATHS)
    assert values(found) == values(scrubbed(state(fixed, (SOCKET, FOLDER)), {}, {}))
    assert "machine-3f" not in json.dumps(found)


def test_times_identifiers_and_the_programs_own_files_are_left_out_of_a_recorded_state() -> None:
    recorded = state({}, (SOCKET, FOLDER))
    gateway = next(one for one in recorded["deployment"]["resources"] if one["urn"].endswith("::sentinel-gateway"))
    gateway |= {"id": CONTAINER, "created": "2026-11-29T01:02:03.4Z", "sourcePosition": "project:///home/me"}
    gateway["outputs"] |= {"hostname": CONTAINER[:12], "at": "2026-11-29T01:02:03Z", "since": '{"at": 1795914123.5}'}
    text = json.dumps(scrubbed(recorded, {}, {}))
    assert CONTAINER[:12] not in text and "2026-11-29" not in text and "1795914123" not in text
    assert "/home/me" not in text and "FROM ${BASE}" not in text
    assert packed(archive()).decode() not in text


@pytest.mark.parametrize("leaked", ["a-secret-that-nobody-named-in-a-base64", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9"])
def test_a_state_in_which_a_secret_is_left_is_refused(leaked: str) -> None:
    recorded = state({}, (SOCKET, FOLDER))
    recorded["deployment"]["resources"][-1]["outputs"] = {"stdout": leaked}
    with pytest.raises(UserError, match="nothing w"):
        scrubbed(recorded, {"a-secret-that": "a-secret-that"}, {})
