"""Other people's containers and networks, of whatever make, stop no verb: no traceback, no refusal, nothing touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostctl import handover, inspection, predecessor, resources
from hostctl.docker import containers, limits, orphans, presence, users
from hostctl.docker.engine import Engine
from hostctl.handover.request import HandoverRequest
from hostctl.inspection.request import InspectRequest, NamedPort
from hostctl.predecessor import PredecessorRequest
from hostctl.retire import inventory
from hostctl.retire.request import RetireRequest
from hostctl.stack import objects
from tests.soak import SOAK
from tests.unit.hostctl.docker.published_types import NEW, OLD, hosts
from tests.unit.hostctl.listed_docker import answering

EXAMPLES = 500 if SOAK else 15
"""Hosts a verb and version; `make soak` takes more."""
FOLDER = "/nowhere/sentinel-cutover"
PORTS = {"4444/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9200"}]}
GATEWAY: dict[str, Any] = {
    "Id": "f" * 64, "Name": "/forge", "Image": "sha256:f", "State": {"Running": True},
    "HostConfig": {"NetworkMode": "forge", "PortBindings": PORTS},
    "NetworkSettings": {"Ports": PORTS, "Networks": {"forge": {"NetworkID": "forges"}}},
}  # fmt: skip


def inspect(socket: str) -> None:
    request = InspectRequest(FOLDER, docker_socket=socket, gateway="forge", ports=(NamedPort("sentinel.port", 9),))
    found = inspection.inspect(request)["findings"]
    unread = [finding for finding in found if finding["part"] in ("docker", "networks", "ports", "disk")]
    assert not [finding for finding in unread if finding["verdict"] in ("problem", "not checked")]


def used(socket: str) -> None:
    engine = Engine(socket)
    users.users(engine, path="/etc", network="web", image="x", volume="v")
    containers.networks_of_role(engine, "standby")
    assert all(container.id for container in containers.everything(engine))


def retired(socket: str) -> None:
    request = RetireRequest(FOLDER, FOLDER, "mcp-context-forge", "forge", 9200, 7, docker_socket=socket)
    found = inventory.read(Engine(socket), request)
    assert (found["containers"], found["images"], found["volumes"]) == ([], [], [])


VERBS: dict[str, Callable[[str], Any]] = {
    "host inspect": inspect,
    "docker check": lambda socket: limits.check(limits.DockerCheckRequest(socket)),
    "docker presence": lambda socket: presence.presence(presence.PresenceRequest(docker_socket=socket)),
    "orphans remove": lambda socket: orphans.remove(
        orphans.OrphansRequest(networks=("sentinel",), pending=("web",), began=1, docker_socket=socket)
    ),
    "stack objects": lambda socket: objects.objects(objects.ObjectsRequest(("sentinel",), docker_socket=socket)),
    "resources free": lambda socket: resources.free(resources.FreeRequest(FOLDER, docker_socket=socket)),
    "handover status": lambda socket: handover.status(
        HandoverRequest("sentinel-edge", "sentinel", 9, FOLDER, docker_socket=socket)
    ),
    "containers in use": used,
    "retire": retired,
}


BOUNDED = settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    database=None,
)


@pytest.fixture(scope="module")
def socket_and_answers() -> Iterator[tuple[str, dict[str, Any]]]:
    answers: dict[str, Any] = {}
    with TemporaryDirectory() as folder, answering(Path(folder), answers) as socket:
        yield socket, answers


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("verb", VERBS)
def test_no_container_and_no_network_of_others_stops_a_verb(
    verb: str, version: str, socket_and_answers: tuple[str, dict[str, Any]]
) -> None:
    socket, answers = socket_and_answers

    @BOUNDED
    @given(hosts(version))
    def holds(host: Any) -> None:
        answers.clear()
        answers.update(host.answers)
        VERBS[verb](socket)

    holds()


@pytest.mark.parametrize("version", [OLD, NEW])
def test_the_predecessor_is_recorded_whatever_runs_beside_it(
    version: str, socket_and_answers: tuple[str, dict[str, Any]]
) -> None:
    socket, answers = socket_and_answers

    @BOUNDED
    @given(hosts(version), st.booleans())
    def holds(host: Any, by_compose: bool) -> None:
        labels = {"com.docker.compose.project": "forge"} if by_compose else None
        answers.clear()
        answers.update({f"/containers/{GATEWAY['Id']}/json": {**GATEWAY, "Config": {"Labels": labels}}})
        answers.update(host.answers)
        row = {"Id": GATEWAY["Id"], "Names": ["/forge"]}
        answers["/containers/json"] = [*host.answers["/containers/json"], row]
        answers["/networks"] = [*host.answers["/networks"], {"Id": "forges", "Name": "forge"}]
        answers["/images/sha256%3Af/json"] = answers["/images/sha256:f/json"] = {"Id": "sha256:f"}
        found = predecessor.record(PredecessorRequest("contextforge", 9200, "forge", docker_socket=socket))
        assert found["gateway"]["name"] == "forge"

    holds()
