"""The containers that use a path, a network, an image or a volume, whether they run or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hostctl.docker import containers
from hostctl.docker.users import missing_mounts, users
from hostctl.verification.expected import not_running
from tests.unit.hostctl.listed_docker import listed


class Engine:
    """Docker's list alone."""

    def __init__(self, *containers: dict[str, Any]) -> None:
        self.containers = containers

    def get(self, path: str) -> Any:
        assert path == "/containers/json?all=1"
        return self.containers


GATEWAY = listed(
    "gateway",
    "/srv/files-1/key",
    state="exited",
    Image="sentinel:1",
    ImageID="sha256:1",
    NetworkSettings={"Networks": {"sentinel": {"NetworkID": ""}}},
)
GATEWAY["Mounts"].append({"Type": "volume", "Name": "data", "Source": "/var/lib/docker/volumes/data/_data"})
WHOLE_HOST: dict[str, Any] = {**listed("exporter", "/"), "Labels": {}}


@pytest.mark.parametrize(
    ("used", "found"),
    [
        ({"path": "/srv/files-1/key"}, ["gateway"]),
        ({"path": "/srv/files-1"}, ["gateway"]),
        ({"path": "/srv/./files-1/"}, ["gateway"]),
        ({"path": "/"}, ["exporter", "gateway"]),
        ({"path": "/srv/files-2"}, []),
        ({"path": "/srv/files"}, []),
        ({"path": "/srv/files-1/key/other"}, []),
        ({"network": "sentinel"}, ["gateway"]),
        ({"network": "edge"}, []),
        ({"image": "sentinel:1"}, ["gateway"]),
        ({"image": "sha256:1"}, ["gateway"]),
        ({"image": "sha256:2"}, []),
        ({"volume": "data"}, ["gateway"]),
        ({"volume": "dat"}, []),
        ({}, []),
    ],
)
def test_a_stopped_container_uses_what_it_needs_to_start_again(used: dict[str, str], found: list[str]) -> None:
    assert users(Engine(GATEWAY, WHOLE_HOST), **used) == found  # type: ignore[arg-type]


def test_a_path_is_used_by_either_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for mounted, removed in (("link", "real"), ("real", "link")):
        container = listed("gateway", tmp_path / mounted / "key")
        assert users(Engine(container), path=str(tmp_path / removed)) == ["gateway"]  # type: ignore[arg-type]


def test_a_missing_source_is_named_for_a_container_of_ours_alone(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    gone = str(tmp_path / "gone" / "key")
    theirs: dict[str, Any] = {**listed("theirs", gone), "Labels": {}}
    found = missing_mounts(
        containers.listed(Engine(listed("gateway", tmp_path / "there", gone), theirs))  # type: ignore[arg-type]
    )
    assert found == [("gateway", gone)]


def test_of_the_containers_without_a_declaration_each_must_run_but_a_gateway_out_of_service() -> None:
    gateway: dict[str, Any] = {"sentinel-cutover": "true", "sentinel-cutover.role": "gateway"}
    rows: list[dict[str, Any]] = [
        listed("sentinel-grafana", state="exited"),
        listed("sentinel-prometheus", Status="Up 2 hours (unhealthy)"),
        {**listed("sentinel-gateway-old", state="exited"), "Labels": gateway},
        listed("sentinel-postgres", state="exited"),
        {**listed("theirs", state="exited"), "Labels": {}},
    ]
    assert not_running(rows, {"sentinel-postgres"}) == [
        "sentinel-grafana is exited: `make up` restores it",
        "sentinel-prometheus is unhealthy: see `docker logs sentinel-prometheus`",
    ]
