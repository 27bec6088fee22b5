"""ContextForge as the cutover finds it: it serves seven backends, and the operator's files say what runs."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

import docker
import jwt
import pytest
import yaml

from console.progress import Progress
from hostctl.docker.engine import Engine
from hostctl.handover import orphaned_sessions
from hostctl.mcp.probe import Expectation
from lab import box as vps
from lab import images
from lab.box import Box, Place
from lab.box.network import inside
from lab.real import contextforge
from lab.real.contextforge.services import BACKENDS, NETWORK, PROJECT, SERVICES
from tests.starvation import Stopwatch
from tests.unit.lab.stack_backends import LAB
from verify.expectation import differs
from verify.names import offered_name

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

IMAGES = ("postgres", "redis", "contextforge", "backends", "n8n-mcp")
WITHOUT_KEY = "exa"
"""The one that is optional in the lab: its server refuses, with a message of its own."""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, progress: Progress) -> Iterator[Box]:
    """A box of its own in which nothing has been cut over: in the repository's own one Sentinel may hold the port."""
    if images.missing(IMAGES):
        images.build(progress, IMAGES)
    place = Place(tmp_path_factory.mktemp("vps"))
    try:
        box = vps.up(place, progress)
        box = box.with_images(images.load(box.docker_host, IMAGES))
        contextforge.up(box)
        yield box
    finally:
        vps.down(place, progress)


@pytest.fixture
def daemon(before: Box) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=before.docker_host)
    yield client
    client.close()


def token(box: Box) -> str:
    return contextforge.token_file(box).read_text().strip()


def operators_files(box: Box) -> dict[str, bytes]:
    home = Path(box.home)
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", LAB)
def test_the_stacks_harmless_call_reaches_the_backend(before: Box, name: str):
    backend = LAB[name]
    tool = offered_name("contextforge", name, backend["tool"])
    answer = contextforge.call_tool(before, tool, backend.get("arguments", {}), token(before))
    assert answer.status == 200
    result = answer.body["result"]
    text = result["content"][0]["text"]
    assert result["isError"] is (name == WITHOUT_KEY), text
    if name == WITHOUT_KEY:
        assert "API key must be provided" in text
    else:
        declared: dict[str, Any] = {"contains": (), "excludes": (), **backend["expect"]}
        lists = {key: tuple(declared.pop(key)) for key in ("contains", "excludes")}
        expected = Expectation(**lists, **declared)
        assert differs(expected, text, result.get("structuredContent")) == ""


def test_it_runs_as_its_published_image_does(before: Box, daemon: docker.DockerClient):
    """A master that preloads, and its two workers; other processes are those workers' own."""
    gateway: Any = daemon.containers.get(f"{PROJECT}-gateway-1")
    master = str(gateway.attrs["State"]["Pid"])
    processes = {row[0]: row for row in gateway.top(ps_args="-o pid,ppid,args")["Processes"]}
    assert "--preload" in processes[master][2] and "--timeout 600" in processes[master][2]
    assert len([row for row in processes.values() if row[1] == master]) == 2


def test_a_query_reads_what_the_operators_database_holds(before: Box):
    query = {"query": "SELECT name FROM projects ORDER BY id"}
    answer = contextforge.call_tool(before, "sqlite-read-query", query, token(before))
    assert "sentinel" in answer.body["result"]["content"][0]["text"]


def test_a_client_that_shakes_hands_first_sees_the_tools_of_all_backends(before: Box):
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    started = contextforge.call(
        before,
        "POST",
        "/mcp",
        token=token(before),
        body={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
    )
    assert started.body["result"]["protocolVersion"] == "2025-06-18"
    listed = contextforge.call(
        before, "POST", "/mcp", token=token(before), body={"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    )
    offered = {tool["name"] for tool in listed.body["result"]["tools"]}
    assert {offered_name("contextforge", name, backend["tool"]) for name, backend in LAB.items()} <= offered


@pytest.mark.parametrize("kind", ["none", "another secret's", "another audience's"])
def test_a_wrong_token_is_refused(before: Box, kind: str):
    now = int(time.time())
    claims = {"sub": "operator@example.com", "iss": "mcpgateway", "aud": "mcpgateway-api", "iat": now, "exp": now + 600}
    wrong = {
        "none": "",
        "another secret's": jwt.encode(claims, "0" * 48, algorithm="HS256"),
        "another audience's": jwt.encode({**claims, "aud": "sentinel-api"}, secret(before), algorithm="HS256"),
    }[kind]
    assert contextforge.call_tool(before, "sqlite-list-tables", {}, wrong).status == 401


def secret(box: Box) -> str:
    return env(box)["JWT_SECRET_KEY"]


def env(box: Box) -> dict[str, str]:
    lines = (Path(box.home) / PROJECT / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_a_second_up_changes_nothing_and_takes_less_than_a_second(before: Box, daemon: docker.DockerClient):
    def state() -> object:
        found = daemon.containers.list(all=True)
        return {container.name: (container.id, container.attrs["State"]["StartedAt"]) for container in found}

    containers, files = state(), operators_files(before)
    seconds: list[float] = []
    for _ in range(3):
        stopwatch = Stopwatch()
        contextforge.up(before)
        seconds.append(stopwatch.seconds)
    # The best of three: what else runs on this machine is not the predecessor's time.
    assert min(seconds) < 1.0
    assert (state(), operators_files(before)) == (containers, files)


def test_a_stopped_backend_comes_back_with_its_data(before: Box, daemon: docker.DockerClient):
    insert = {"query": "INSERT OR REPLACE INTO projects VALUES (3, 'kept')"}
    assert contextforge.call_tool(before, "sqlite-write-query", insert, token(before)).status == 200
    daemon.containers.get("mcp-sqlite").remove(force=True)
    contextforge.up(before)
    read = {"query": "SELECT name FROM projects"}
    answer = contextforge.call_tool(before, "sqlite-read-query", read, token(before))
    assert "kept" in answer.body["result"]["content"][0]["text"]


def test_a_gateway_that_handed_the_port_over_stays_as_it_is(before: Box, daemon: docker.DockerClient):
    """As `hostctl handover cutover` leaves it with it: no policy, off its network."""
    other_image = {**before.images, "backends": before.images["contextforge"]}
    sidecar = daemon.containers.get("mcp-sqlite").id
    gateway: Any = daemon.containers.get(f"{PROJECT}-gateway-1")
    network: Any = daemon.networks.get(NETWORK)
    gateway.update(restart_policy={"Name": "no"})
    network.disconnect(gateway)
    try:
        contextforge.up(before, other_image)
        gateway.reload()
        assert gateway.status == "running"
        assert gateway.attrs["NetworkSettings"]["Networks"] == {}
        assert daemon.containers.get("mcp-sqlite").id == sidecar
    finally:
        network.connect(gateway, aliases=["gateway", gateway.name])
        gateway.update(restart_policy={"Name": "unless-stopped"})
    contextforge.up(before)
    assert contextforge.call(before, "GET", "/health").status == 200


def test_the_backends_are_known_once_by_name_and_address(before: Box):
    known = contextforge.call(before, "GET", "/gateways?include_inactive=true", token=token(before)).body
    assert sorted((backend["name"], backend["url"]) for backend in known) == sorted(BACKENDS.items())


def test_secrets_are_the_operators_alone_and_scripts_can_be_run(before: Box):
    home = Path(before.home)
    modes = {
        f"{PROJECT}/.env": 0o600,
        ".mcp-token": 0o600,
        ".claude.json": 0o600,
        "fix-iptables.sh": 0o755,
        "nightly-db-backup.sh": 0o755,
    }
    assert {name: stat.S_IMODE((home / name).stat().st_mode) for name in modes} == modes


def test_claudes_entry_points_at_the_port_with_the_token_among_much_that_is_not_ours(before: Box):
    document = json.loads((Path(before.home) / ".claude.json").read_text())
    assert document["mcpServers"] == {
        "contextforge": {
            "type": "http",
            "url": "http://127.0.0.1:9200/mcp",
            "headers": {"Authorization": f"Bearer {token(before)}"},
        }
    }
    assert len(document["projects"]) > 1 and "numStartups" in document


def test_the_token_is_the_administrators_and_lasts(before: Box):
    claims = jwt.decode(
        token(before), secret(before), algorithms=["HS256"], issuer="mcpgateway", audience="mcpgateway-api"
    )
    assert claims["sub"] == env(before)["PLATFORM_ADMIN_EMAIL"]
    assert claims["exp"] - time.time() > 30 * 24 * 3600


@pytest.mark.parametrize("service", [service.name for service in SERVICES])
def test_the_compose_files_describe_what_docker_shows(before: Box, daemon: docker.DockerClient, service: str):
    described = merged_compose(before)["services"][service]
    name = described.get("container_name", f"{PROJECT}-{service}-1")
    shown: Mapping[str, Any] = daemon.containers.get(name).attrs
    configuration, host = shown["Config"], shown["HostConfig"]
    environment = dict(entry.split("=", 1) for entry in configuration["Env"])
    declared_ports: dict[str, list[dict[str, str]]] = host["PortBindings"] or {}
    published = [
        f"{binding['HostIp']}:{binding['HostPort']}:{port.removesuffix('/tcp')}"
        for port, bindings in declared_ports.items()
        for binding in bindings
    ]
    mounted = [f"{mount['Name'].removeprefix(f'{PROJECT}_')}:{mount['Destination']}" for mount in shown["Mounts"]]
    assert configuration["Image"] == described["image"]
    assert host["RestartPolicy"]["Name"] == described["restart"]
    assert published == described.get("ports", [])
    assert sorted(shown["NetworkSettings"]["Networks"]) == [f"{PROJECT}_{one}" for one in described["networks"]]
    assert mounted == described.get("volumes", [])
    assert {key: environment[key] for key in described.get("environment", {})} == {
        key: Template(value).substitute(env(before)) for key, value in described.get("environment", {}).items()
    }
    assert "command" not in described or configuration["Cmd"] == described["command"]
    assert configuration["Healthcheck"]["Test"] == [
        part.replace("$$", "$") for part in described["healthcheck"]["test"]
    ]
    assert configuration["Labels"]["com.docker.compose.project"] == PROJECT
    assert configuration["Labels"]["com.docker.compose.service"] == service
    assert host["Memory"] == 0


def merged_compose(box: Box) -> dict[str, Any]:
    """Both files as `docker compose -f A -f B` merges them, for the keys that they hold."""
    folder = Path(box.home) / PROJECT
    merged: dict[str, Any] = yaml.safe_load((folder / "docker-compose.yml").read_text())
    slim = yaml.safe_load((folder / "docker-compose.slim.yml").read_text())
    for name, more in slim["services"].items():
        service = merged["services"].setdefault(name, {})
        service.update({**more, "environment": {**service.get("environment", {}), **more.get("environment", {})}})
    return merged


def test_no_secret_is_in_the_compose_files(before: Box):
    folder = Path(before.home) / PROJECT
    text = "".join((folder / name).read_text() for name in ("docker-compose.yml", "docker-compose.slim.yml"))
    hidden = {key: value for key, value in env(before).items() if "SECRET" in key or "PASSWORD" in key}
    assert hidden and not [key for key, value in hidden.items() if value in text]


def test_the_nightly_backup_holds_the_backends_that_contextforge_knows(before: Box, tmp_path: Path):
    environment = {**os.environ, "BACKUP_FOLDER": str(tmp_path), "DOCKER_HOST": before.docker_host}
    subprocess.run([str(Path(before.home) / "nightly-db-backup.sh")], env=environment, check=True)
    (backup,) = tmp_path.iterdir()
    assert all(url in backup.read_text() for url in BACKENDS.values())


def test_the_firewall_script_acts_on_the_vps_and_nowhere_else(before: Box):
    script = [str(Path(before.home) / "fix-iptables.sh")]
    for _ in range(2):
        subprocess.run(inside(before.vps, script), check=True)
    rules = subprocess.run(inside(before.vps, ["iptables", "-S", "INPUT"]), capture_output=True, text=True, check=True)
    assert rules.stdout.count("--dport 5432 -j DROP") == 1
    refused = subprocess.run(inside(before.wan, script), capture_output=True, text=True)
    assert refused.returncode == 1 and "nothing changed" in refused.stderr


LOCKS_EVERY_TOOL = """
import os, time, psycopg
with psycopg.connect(os.environ["DATABASE_URL"].replace("postgresql+psycopg", "postgresql")) as session:
    session.execute("UPDATE tools SET updated_at = updated_at")
    time.sleep(600)
"""
LEFT = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%= updated_at'"
WAITS = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def test_it_cannot_start_beside_a_transaction_of_its_former_process_until_that_is_ended(
    before: Box, daemon: docker.DockerClient
):
    """As the first cutover may leave one: it is off the network before its database hears that it ends."""
    gateway: Any = daemon.containers.get(f"{PROJECT}-gateway-1")
    database: Any = daemon.containers.get(f"{PROJECT}-postgres-1")
    network: Any = daemon.networks.get(NETWORK)
    engine, siblings = (
        Engine(before.docker_socket.removeprefix("unix://")),
        [str(container.id) for container in daemon.containers.list() if container.id != gateway.id],
    )

    def of_database(query: str) -> str:
        psql = 'psql -qtAX -h /run/postgresql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "$0"'
        return database.exec_run(["sh", "-c", psql, query]).output.decode().strip()

    gateway.exec_run(["python3", "-c", LOCKS_EVERY_TOOL], detach=True)
    until(lambda: of_database(LEFT) == "1")
    network.disconnect(gateway)
    gateway.stop(timeout=0)
    network.connect(gateway, aliases=["gateway"])
    gateway.start()
    until(lambda: of_database(WAITS) == "t")
    assert orphaned_sessions.end(engine, gateway.id, siblings) == 1
    until(lambda: gateway.exec_run(["curl", "-fsS", "-m", "5", "http://127.0.0.1:4444/health"]).exit_code == 0)
    assert of_database(LEFT) == "0"


def until(true: Callable[[], bool], limit_seconds: float = 90.0) -> None:
    end = time.monotonic() + limit_seconds
    while not true():
        assert time.monotonic() < end, f"not so within {limit_seconds:g} s"
        time.sleep(0.2)
