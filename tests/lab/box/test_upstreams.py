"""The lab's outside: the declared names and no others, and each upstream can be taken away alone."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator

import docker
import pytest

from console.progress import Progress
from lab import images
from lab.box import Box, outside
from lab.doubles.upstreams.hosts import CONTEXT7, EXA, FIRECRAWL, N8N, UPSTREAMS
from lab.doubles.upstreams.server import answer
from lab.images import IMAGES
from tests.unit.lab.stack_backends import LAB

PROBE = """
import json, socket, sys
found = {}
for host, port in json.loads(sys.argv[1]):
    try:
        address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    except socket.gaierror as error:
        found[host] = error.args[0]
        continue
    try:
        socket.create_connection(address, 3).close()
        found[host] = "connected"
    except OSError as error:
        found[host] = type(error).__name__
print(json.dumps(found))
"""
NO_SUCH_NAME = -2
"""EAI_NONAME: the name server says that there is none (getaddrinfo(3))."""
NO_NAME_SERVER = -3
"""EAI_AGAIN: no name server answers."""

Probe = Callable[..., dict[str, object]]


@pytest.fixture(scope="module")
def probe(box: Box, progress: Progress) -> Iterator[Probe]:
    """Connects to hosts from a new container on a network of the test's own, internal or not."""
    images.build(progress, ("n8n-mcp",))
    images.load(box.docker_host, ("n8n-mcp",))
    client = docker.DockerClient(base_url=box.docker_host, timeout=60)
    networks = {
        internal: client.networks.create(f"outside-{secrets.token_hex(4)}", internal=internal)
        for internal in (False, True)
    }

    def connect(*hosts: tuple[str, int], internal: bool = False) -> dict[str, object]:
        said = client.containers.run(
            IMAGES["n8n-mcp"].tag,
            ["-c", PROBE, json.dumps(hosts)],
            entrypoint=["python3"],
            network=networks[internal].name,
            # A lookup that nobody answers takes 10 s otherwise (resolv.conf(5)).
            environment={"RES_OPTIONS": "timeout:1 attempts:1"},
            remove=True,
        )
        return json.loads(said)

    yield connect
    for network in networks.values():
        network.remove()
    client.close()


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_every_declared_upstream_resolves_and_can_be_connected_to_from_a_network_with_egress(probe: Probe) -> None:
    declared = [
        (host, int(port or 443))
        for backend in LAB.values()
        for host, _, port in (one.partition(":") for one in backend.get("upstream_hosts", []))
    ]
    assert len(declared) == 3
    assert probe(*declared) == {host: "connected" for host, _ in declared}


@pytest.mark.lab
def test_a_name_that_is_not_declared_does_not_exist_nor_does_one_below_a_declared_name(probe: Probe) -> None:
    assert probe(("example.org", 443), (f"api.{CONTEXT7.host}", 443)) == {
        "example.org": NO_SUCH_NAME,
        f"api.{CONTEXT7.host}": NO_SUCH_NAME,
    }


@pytest.mark.lab
def test_from_an_internal_network_no_name_is_found(probe: Probe) -> None:
    assert probe((CONTEXT7.host, CONTEXT7.port), internal=True) == {CONTEXT7.host: NO_NAME_SERVER}


@pytest.mark.lab
def test_one_upstream_can_be_taken_away_and_the_others_stay(box: Box, probe: Probe) -> None:
    hosts = [(one.host, one.port) for one in (CONTEXT7, EXA)]
    with outside.without(box, EXA):
        assert probe(*hosts) == {CONTEXT7.host: "connected", EXA.host: "ConnectionRefusedError"}
    assert probe(*hosts) == {CONTEXT7.host: "connected", EXA.host: "connected"}


def test_a_key_is_required_where_the_real_upstream_requires_it() -> None:
    assert answer(FIRECRAWL, "POST", "/v2/map", {}, b"{}")[0] == 401
    assert answer(N8N, "GET", "/api/v1/workflows", {}, b"")[0] == 401
    assert answer(N8N, "GET", "/api/v1/workflows", {"x-n8n-api-key": "k"}, b"")[0] == 200


def test_n8n_answers_for_one_workflow_and_for_the_active_ones() -> None:
    key = {"x-n8n-api-key": "k"}
    active = answer(N8N, "GET", "/api/v1/workflows?active=true", key, b"")[1]["data"]
    assert [one["name"] for one in active] == ["Heartbeat"]
    assert answer(N8N, "GET", f"/api/v1/workflows/{active[0]['id']}", key, b"") == (200, active[0])
    assert answer(N8N, "GET", "/api/v1/workflows/none", key, b"")[0] == 404


def test_every_upstream_has_a_name_and_an_address_of_its_own() -> None:
    assert len({one.host for one in UPSTREAMS}) == len({one.address for one in UPSTREAMS}) == len(UPSTREAMS)
