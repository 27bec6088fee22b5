"""A host belongs to one state: the first action of any other one is refused, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from hostctl.host import machine
from tests.unit.hostctl.listed_docker import docker, listed

GATEWAY: dict[str, Any] = {"Labels": {"sentinel-cutover": "true", "sentinel-cutover.role": "gateway"}}
SERVES: dict[str, Any] = {**GATEWAY, "Ports": [{"PublicPort": 9200}]}


class StackHost:
    """The product's folder, a Docker with these containers, and the verbs."""

    def __init__(self, run: Any, folder: Path, socket: str, containers: list[dict[str, Any]]) -> None:
        self._run, self.folder, self._socket, self.containers = run, folder, socket, containers

    def stack(self, action: str, identity: str = "one", stack: str = "prod", **more: Any) -> Any:
        document = {"folder": str(self.folder), "docker_socket": self._socket, "stack": stack, "id": identity, **more}
        return self._run("stack", action, document=document)

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()} if self.folder.exists() else {}


@pytest.fixture
def host(run: Any, tmp_path: Path) -> Generator[StackHost]:
    containers: list[dict[str, Any]] = []
    with docker(tmp_path, containers) as socket:
        yield StackHost(run, tmp_path / "product", socket, containers)


def test_the_first_claim_records_the_stack_and_installs_the_program(host: StackHost) -> None:
    answer = json.loads(host.stack("claim").stdout)
    assert answer == {"stack": "prod", "id": "one", "machine": machine.identity()}
    assert (host.folder / "hostctl.pyz").stat().st_mode & 0o777 == 0o755
    assert json.loads(host.stack("show").stdout)["record"]["id"] == "one"


def test_a_claim_of_the_same_state_keeps_the_record(host: StackHost) -> None:
    host.stack("claim")
    before = (host.folder / "stack.json").read_bytes()
    host.containers.append(listed("gateway-1", **SERVES))
    assert host.stack("claim").returncode == 0
    assert (host.folder / "stack.json").read_bytes() == before


def test_another_state_is_refused_where_sentinel_serves_with_both_ways_on(host: StackHost) -> None:
    host.stack("claim")
    host.containers.append(listed("gateway-1", **SERVES))
    (host.folder / "hostctl.pyz").write_text("the program of the state that serves")
    before = host.files()
    refused = host.stack("claim", "two")
    assert refused.returncode == 1 and host.files() == before
    assert refused.stderr.startswith(
        "hostctl stack claim: gateway-1 serves on this host, which belongs to another state"
    )
    assert "`make adopt STACK=prod`" in refused.stderr and "copy that state here (.state/prod" in refused.stderr


def test_another_stack_is_refused_with_the_name_of_the_one_that_has_the_host(host: StackHost) -> None:
    host.stack("claim")
    host.containers.append(listed("sentinel-postgres"))
    refused = host.stack("claim", "two", stack="other")
    assert "sentinel-postgres is on this host" in refused.stderr and "use STACK=prod" in refused.stderr


def test_a_host_without_a_container_of_ours_may_be_claimed_by_another_state(host: StackHost) -> None:
    host.stack("claim")
    assert json.loads(host.stack("claim", "two").stdout)["id"] == "two"


def test_a_host_that_an_earlier_program_cut_over_is_claimed(host: StackHost) -> None:
    host.containers.append(listed("gateway-1", **SERVES))
    assert host.stack("claim").returncode == 0


def test_an_adopting_state_takes_the_host_over(host: StackHost) -> None:
    host.stack("claim")
    host.containers.append(listed("gateway-1", **SERVES))
    assert json.loads(host.stack("claim", "two", adopt=True).stdout)["id"] == "two"


def test_only_the_state_that_has_the_host_releases_it(host: StackHost) -> None:
    host.stack("claim")
    before = host.files()
    assert json.loads(host.stack("release", "two").stdout)["released"] is False
    assert host.files() == before
    assert json.loads(host.stack("release").stdout)["released"] is True
    assert not host.folder.exists()


def test_serving_containers_are_shown_apart_from_the_others(host: StackHost) -> None:
    host.containers += [listed("gateway-1", **SERVES), listed("gateway-2", **GATEWAY), listed("db", Labels={})]
    shown = json.loads(host.stack("show").stdout)
    assert (shown["containers"], shown["serving"]) == (["gateway-1", "gateway-2"], ["gateway-1"])
    assert (shown["record"], shown["program"], shown["copies"]) == (None, False, [])
