"""The lab's images keep the contracts of the images that they stand in for, on a real daemon."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import docker
import pytest

from console.progress import Progress
from lab import images
from lab.box import Box
from lab.images import IMAGES
from tests.lab.box.image_daemon import HEALTHY_WITHIN_SECONDS, Container, Daemon
from tests.starvation import Stopwatch

POSTGRES = IMAGES["postgres"]
PROMETHEUS = IMAGES["prometheus"]
PASSWORD = secrets.token_urlsafe(24)
DATA = "/var/lib/postgresql/data"
SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def daemon(box: Box, progress: Progress) -> Iterator[Daemon]:
    images.build(progress, ("postgres", "prometheus"))
    images.load(box.docker_host, ("postgres", "prometheus"))
    client = docker.DockerClient(base_url=box.docker_host, timeout=60)
    with ExitStack() as cleanup:
        cleanup.callback(client.close)
        network = client.networks.create(f"images-{secrets.token_hex(4)}", internal=True)
        cleanup.callback(network.remove)
        yield Daemon(client, str(network.name), cleanup)


@pytest.fixture
def postgres(daemon: Daemon, tmp_path: Path) -> Callable[..., Container]:
    """Containers of Postgres as `components/postgres.py` declares them, on a volume."""
    password = tmp_path / "postgres_password"
    password.write_text(PASSWORD)
    password.chmod(0o444)

    def create(volume: str, **options: Any) -> Container:
        return daemon.container(
            POSTGRES,
            files={"/run/secrets/postgres_password": password},
            user="999:999",
            volumes={volume: {"bind": DATA, "mode": "rw"}},
            tmpfs={"/run/postgresql": "uid=999,gid=999,mode=0775", "/tmp": "mode=1777"},
            environment={
                "PGDATA": DATA,
                "POSTGRES_DB": "sentinel",
                "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256 --encoding=UTF8",
                "POSTGRES_PASSWORD_FILE": "/run/secrets/postgres_password",
                "POSTGRES_USER": "sentinel",
            },
            healthcheck={
                "test": ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "sentinel", "-d", "sentinel"],
                "interval": SECOND // 4,
                "timeout": 3 * SECOND,
                "retries": 60,
                "start_period": 30 * SECOND,
            },
            **options,
        )

    return create


@pytest.fixture(scope="module")
def neighbour(daemon: Daemon) -> Container:
    """A container on the same network, with Postgres's client in it."""
    container = daemon.container(POSTGRES, user="999:999", command=["sleep", "infinity"])
    container.start()
    return container


def arguments(server: Container, *queries: str) -> list[str]:
    target = f"host={server.name} user=sentinel dbname=sentinel require_auth=scram-sha-256 connect_timeout=5"
    return ["psql", "-qXAt", target, *(part for statement in queries for part in ("-c", statement))]


def query(neighbour: Container, server: Container, statement: str, password: str = PASSWORD) -> tuple[int, str]:
    """Over TCP from another container; the client itself refuses a server that offers less than SCRAM."""
    for _ in range(3):
        ran = neighbour.exec_run(arguments(server, statement), environment={"PGPASSWORD": password})
        # Docker loses the output of a command on a busy machine (hostctl/postgres/psql.py); a failed one has some.
        if ran.output or ran.exit_code == 0:
            return ran.exit_code, ran.output.decode().strip()
    raise AssertionError("Docker lost the output of a failed psql three times")


@pytest.fixture(scope="module")
def shared(daemon: Daemon) -> str:
    """The volume of the tests that only read a server."""
    return daemon.volume()


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_postgres_takes_the_right_password_by_scram_and_no_other(
    daemon: Daemon, postgres: Callable[..., Container], neighbour: Container, shared: str
) -> None:
    server = daemon.start_until_healthy(postgres(shared))
    assert query(neighbour, server, "SHOW server_version")[1].split(".")[0] == POSTGRES.version
    assert query(neighbour, server, "SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'sentinel'") == (
        0,
        "SCRAM-SHA-256$",
    )
    code, output = query(neighbour, server, "SELECT 1", password="wrong")
    assert code != 0
    assert "password authentication failed" in output
    code, output = query(neighbour, server, "SELECT 1", password="")
    assert code != 0
    assert "no password supplied" in output


@pytest.mark.lab
def test_postgres_shows_its_password_nowhere_and_stops_with_a_client_connected(
    daemon: Daemon, postgres: Callable[..., Container], neighbour: Container, shared: str
) -> None:
    server = daemon.start_until_healthy(postgres(shared))
    _, session = neighbour.exec_run(
        arguments(server, "SELECT 'connected'", "SELECT pg_sleep(600)"),
        environment={"PGPASSWORD": PASSWORD},
        stream=True,
    )
    assert next(session).decode().strip() == "connected"
    assert PASSWORD not in json.dumps(server.client.api.inspect_container(server.id))
    assert PASSWORD not in json.dumps(server.top())

    stopwatch = Stopwatch()
    server.stop(timeout=30)
    assert stopwatch.seconds < 3
    assert server.wait()["StatusCode"] == 0
    output = server.logs().decode()
    assert "database system is shut down" in output
    assert PASSWORD not in output


@pytest.mark.lab
def test_postgres_keeps_its_data_over_another_container_on_the_volume(
    daemon: Daemon, postgres: Callable[..., Container], neighbour: Container, shared: str
) -> None:
    first = daemon.start_until_healthy(postgres(shared))
    assert query(neighbour, first, "CREATE TABLE kept (line text); INSERT INTO kept VALUES ('kept')") == (0, "")
    first.stop(timeout=30)
    first.remove()
    second = daemon.start_until_healthy(postgres(shared))
    assert query(neighbour, second, "SELECT line FROM kept") == (0, "kept")


@pytest.mark.lab
@pytest.mark.parametrize("reached", ["new", "new/base/5", "base"])
def test_a_first_start_of_postgres_that_was_killed_begins_anew(
    daemon: Daemon, postgres: Callable[..., Container], neighbour: Container, reached: str
) -> None:
    """In the middle of initdb, with the databases made, and while they are moved to where they are served from."""
    name = daemon.volume()
    data = Path(str(daemon.client.volumes.get(name).attrs["Mountpoint"]))
    server = postgres(name)
    server.start()
    deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
    while not (data / reached).exists():
        assert time.monotonic() < deadline, server.logs().decode()
        time.sleep(0.001)
    server.kill("SIGKILL")
    assert server.wait()["StatusCode"] == 137
    if reached != "base":
        assert not (data / "PG_VERSION").exists()

    daemon.start_until_healthy(server)
    assert query(neighbour, server, "SELECT current_database()") == (0, "sentinel")
    assert not (data / "new").exists()


@pytest.mark.lab
def test_a_first_start_of_postgres_that_was_killed_at_its_last_move_leaves_nothing(
    daemon: Daemon, postgres: Callable[..., Container], neighbour: Container
) -> None:
    name = daemon.volume()
    data = Path(str(daemon.client.volumes.get(name).attrs["Mountpoint"]))
    server = daemon.start_until_healthy(postgres(name))
    server.kill("SIGKILL")
    assert server.wait()["StatusCode"] == 137
    (data / "new").mkdir()

    daemon.start_until_healthy(server)
    assert query(neighbour, server, "SELECT current_database()") == (0, "sentinel")
    assert not (data / "new").exists()


@pytest.mark.lab
def test_postgres_without_a_password_ends_and_says_what_to_set(daemon: Daemon) -> None:
    server = daemon.container(POSTGRES, volumes={daemon.volume(): {"bind": DATA, "mode": "rw"}})
    server.start()
    assert server.wait(timeout=30)["StatusCode"] == 1
    output = server.logs().decode()
    assert output == "Set POSTGRES_PASSWORD_FILE to a file that holds the password of the new database.\n"


@pytest.fixture
def prometheus_file(tmp_path: Path) -> Path:
    file = tmp_path / "prometheus.yml"
    file.write_text("scrape_configs:\n  - job_name: own\n    static_configs: [{targets: ['127.0.0.1:9090']}]\n")
    return file


def promtool(daemon: Daemon, file: Path) -> tuple[int, str]:
    inside = "/etc/prometheus/prometheus.yml"
    container = daemon.container(
        PROMETHEUS, files={inside: file}, entrypoint=["promtool"], command=["check", "config", inside]
    )
    container.start()
    return container.wait(timeout=30)["StatusCode"], container.logs().decode()


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_promtool_of_the_prometheus_image_takes_a_good_configuration_and_refuses_a_bad_one(
    daemon: Daemon, prometheus_file: Path
) -> None:
    assert promtool(daemon, prometheus_file)[0] == 0
    prometheus_file.write_text("scrape_config: []\n")
    code, output = promtool(daemon, prometheus_file)
    assert code != 0
    assert "field scrape_config not found" in output


@pytest.mark.lab
def test_the_prometheus_image_serves_with_a_read_only_root(daemon: Daemon, prometheus_file: Path) -> None:
    server = daemon.container(
        PROMETHEUS,
        files={"/etc/prometheus/prometheus.yml": prometheus_file},
        volumes={daemon.volume(): {"bind": "/prometheus", "mode": "rw"}},
        healthcheck={
            "test": ["CMD", "curl", "-fsS", "http://127.0.0.1:9090/-/ready"],
            "interval": SECOND // 4,
            "timeout": 3 * SECOND,
            "retries": 60,
        },
    )
    daemon.start_until_healthy(server)
    ready = server.exec_run(["curl", "-fsS", "http://127.0.0.1:9090/-/ready"])
    assert (ready.exit_code, ready.output.decode().strip()) == (0, "Prometheus Server is Ready.")
    version = server.exec_run(["prometheus", "--version"]).output.decode()
    assert version.startswith(f"prometheus, version {PROMETHEUS.version}.")
