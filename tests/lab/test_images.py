"""The lab's images are what their recipes say: a tag for each recipe, the same bytes for the same recipe, nothing from
half a build, and the contracts of the images that they stand in for, on a real daemon.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from docker.types import Mount

from lab import images
from lab.box import Box
from lab.images import IMAGES, Image, store
from lab.images.layers import File, Files, Layer, Sources, scratch
from ops.paths import ROOT
from ops.progress import Progress, Step

PACKAGE_LISTS = {"package.json", "package-lock.json", "requirements.in", "requirements.lock", "sentinel.lock"}
POSTGRES = IMAGES["postgres"]
PROMETHEUS = IMAGES["prometheus"]
PASSWORD = secrets.token_urlsafe(24)
DATA = "/var/lib/postgresql/data"
SECOND = 1_000_000_000
HEALTHY_WITHIN_SECONDS = 40


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything that recipes read, in another place and of another time."""
    copy = tmp_path_factory.mktemp("elsewhere")
    for package in ("lab", "bridge", "ops"):
        shutil.copytree(
            ROOT / package,
            copy / package,
            ignore=shutil.ignore_patterns("__pycache__", "node_modules"),
            copy_function=shutil.copyfile,
        )
    return copy


@pytest.fixture(scope="module")
def tags(sources: Path) -> Iterator[Callable[[], dict[str, str]]]:
    """What the recipes of that copy say now, each time read anew."""
    program = """
import importlib, json, sys
from lab.images import layers, recipes
for line in sys.stdin:
    importlib.reload(layers)
    images = importlib.reload(recipes).IMAGES
    print(json.dumps({name: images[name].tag for name in images}), flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-B", "-c", program], cwd=sources, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        to_reader, from_reader = reader.stdin, reader.stdout
        assert to_reader is not None and from_reader is not None

        def read() -> dict[str, str]:
            to_reader.write("\n")
            to_reader.flush()
            return json.loads(from_reader.readline())

        yield read


def test_a_tag_is_the_same_in_another_clone(tags: Callable[[], dict[str, str]]) -> None:
    assert tags() == {name: image.tag for name, image in IMAGES.items()}


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("lab/images/recipes.py", '"redis-server")', '"redis-server", "zstd")', {"postgres", "redis"}),
        ("lab/images/recipes.py", '"nodejs", "python3"', '"nodejs"', {"contextforge", "backends", "sentinel"}),
        ("lab/images/recipes.py", '"/usr/lib/llvm-*"', '"/usr/lib/llvm*"', {"postgres", "redis"}),
        ("lab/images/recipes.py", '"Entrypoint": ["redis-server"]', '"Entrypoint": ["redis"]', {"redis"}),
        ("lab/images/recipes.py", '"User": "65534:65534",\n        "Entrypoint": ["prom', '"Entrypoint": ["prom',
         {"prometheus"}),
        ("lab/images/recipes.py", 'File("/data", mode=0o755', 'File("/data", mode=0o750', {"backends"}),
        ("lab/images/postgres/entrypoint.sh", "set -eu", "set -e", {"postgres"}),
        ("lab/images/contextforge/requirements.lock", "sha256:", "sha256:0", {"contextforge"}),
        ("lab/images/backends/requirements.lock", "sha256:", "sha256:0", {"backends"}),
        ("lab/images/backends/package-lock.json", "sha512-", "sha512-0", {"backends"}),
        ("lab/images/backends/package.json", "{", "{ ", {"backends"}),
        ("lab/images/sentinel.lock", "sha256:", "sha256:0", {"sentinel"}),
        ("bridge/servers/package-lock.json", "sha512-", "sha512-0", {"backends", "sentinel"}),
        ("bridge/gateway.py", "import", "import ", {"sentinel"}),
        ("lab/sentinel/gateway.py", "import", "import ", {"sentinel"}),
        ("lab/sentinel/requirements.in", "", "# ", set()),
        ("lab/images/store.py", "", "# new\n", set()),
        ("lab/README.md", "", "x", set()),
        ("bridge/README.md", None, "new", set()),
        ("bridge/new.py", None, "", {"sentinel"}),
    ],
)  # fmt: skip
def test_a_changed_input_is_another_image_and_no_other_change_is(
    sources: Path,
    tags: Callable[[], dict[str, str]],
    file: str,
    old: str | None,
    new: str,
    changed: set[str],
) -> None:
    path = sources / file
    before = None if old is None else path.read_text()
    assert before is None or (old or "") in before
    path.write_text(new if before is None else before.replace(old or "", new, 1))
    try:
        now = tags()
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
    assert {name for name, image in IMAGES.items() if image.tag != now[name]} == changed


def test_a_tag_names_image_version_and_recipe() -> None:
    for name, image in IMAGES.items():
        assert re.fullmatch(rf"lab/{name}:{re.escape(image.version)}-[0-9a-f]{{8}}", image.tag)
    assert len({image.tag for image in IMAGES.values()}) == len(IMAGES)


def test_no_list_of_packages_names_where_they_come_from() -> None:
    """An address stands nowhere but in the packages' own appeals for funds; a lock made elsewhere works everywhere."""
    lists = [
        path
        for folder in ("lab", "bridge")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.name in PACKAGE_LISTS and "node_modules" not in path.parts
    ]
    assert {path.name for path in lists} == PACKAGE_LISTS
    for path in lists:
        text = path.read_text()
        if path.suffix == ".json":
            assert '"resolved"' not in text
            text = json.dumps(without_funding(json.loads(text)))
        assert "://" not in text, path
        assert not re.search(r"^\s*(-i|-f|--(extra-)?index-url|--find-links|--registry)\b", text, re.M), path


def without_funding(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_funding(one) for key, one in value.items() if key != "funding"}
    return [without_funding(one) for one in value] if isinstance(value, list) else value


def own_files() -> list[Files]:
    return [layer for image in IMAGES.values() for layer in image.layers if isinstance(layer, Files)]


@pytest.fixture
def step(progress: Progress) -> Iterator[Step]:
    with progress.step("images") as step:
        yield step


def digest_of(layer: Layer, cache: Path, step: Step) -> str:
    store.make(layer, step, cache)
    return hashlib.sha256(layer.tar(cache).read_bytes()).hexdigest()


@pytest.mark.parametrize("layer", own_files(), ids=lambda layer: layer.files[0].path)
def test_our_files_made_twice_are_the_same_bytes(layer: Files, tmp_path: Path, step: Step) -> None:
    assert digest_of(layer, tmp_path / "one", step) == digest_of(layer, tmp_path / "two", step)


@pytest.mark.lab
def test_our_sources_made_twice_are_the_same_bytes(
    sources: Path, tmp_path: Path, step: Step, progress: Progress
) -> None:
    """From another place and of another time, compiled by the image's own Python. As root: it runs in a chroot."""
    layer = next(layer for layer in IMAGES["sentinel"].layers if isinstance(layer, Sources))
    elsewhere = Sources(layer.base, layer.folder, {name: sources / name for name in layer.packages})
    images.build(progress, ("sentinel",))
    digests: list[str] = []
    for name, one in {"one": layer, "two": elsewhere}.items():
        (tmp_path / name).mkdir()
        layer.base.tar(tmp_path / name).symlink_to(layer.base.tar(store.CACHE))
        digests.append(digest_of(one, tmp_path / name, step))
    assert layer.key == elsewhere.key
    assert digests[0] == digests[1]


@dataclass(frozen=True)
class Interrupted(Layer):
    """Writes half of itself, tells so, and then waits for ever; with the gate open it writes the other half."""

    gate: Path
    told: int

    @property
    def title(self) -> str:
        return "interrupted"

    def inputs(self) -> Mapping[str, object]:
        return {"gate": self.gate.name}

    def make(self, destination: Path, cache: Path, step: Step) -> None:
        with scratch(cache) as folder, destination.open("wb") as file:
            (folder / "half").write_text("half")
            file.write(b"half")
            file.flush()
            if not self.gate.exists():
                os.write(self.told, b".")
                signal.pause()
            file.write(b" and half")


def test_a_killed_build_leaves_nothing_that_counts_and_the_next_one_clears_it_away(
    tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, gate = tmp_path / "cache", tmp_path / "gate"
    hear, tell = os.pipe()
    layer = Interrupted(gate, tell)
    monkeypatch.setitem(IMAGES, "interrupted", Image("interrupted", "1", (layer,), {}))

    child = multiprocessing.get_context("fork").Process(target=build_in_main_thread, args=(layer, cache, progress))
    child.start()
    assert os.read(hear, 1) == b"."
    store.tidy(cache)
    assert len(list(cache.iterdir())) == 2, "a running build keeps what it is making"
    child.kill()
    child.join()
    left = {re.sub(r"-[0-9a-f]+$", "", path.name) for path in cache.iterdir()}
    assert left == {f"scratch-{child.pid}", f"new-{child.pid}-{layer.key}.tar"}
    assert store.missing(("interrupted",), cache) == [layer]

    gate.touch()
    images.build(progress, ("interrupted",), cache)
    assert store.missing(("interrupted",), cache) == []
    assert layer.tar(cache).read_text() == "half and half"
    assert {path.name for path in cache.iterdir()} == {f"layer-{layer.key}.tar", f"layer-{layer.key}.sha256"}
    os.close(hear)
    os.close(tell)


def build_in_main_thread(layer: Layer, cache: Path, progress: Progress) -> None:
    """A build's own threads and a fork do not mix; `make` is what each of them runs."""
    store.make(layer, Step("interrupted", cache.parent / "log", progress), cache)


def test_a_layer_that_is_made_again_has_the_digest_of_its_new_bytes(tmp_path: Path, step: Step) -> None:
    layer = Files((File("/a", "b"),))
    first = digest_of(layer, tmp_path, step)
    layer.tar(tmp_path).unlink()
    layer.tar(tmp_path).with_suffix(".sha256").write_text("of other bytes")
    assert digest_of(layer, tmp_path, step) == first
    assert store.archive.identity(layer, tmp_path) == first


@dataclass
class Daemon:
    """The box's daemon: containers of one test module, hardened as the components harden theirs."""

    client: docker.DockerClient
    network: str
    cleanup: ExitStack = field(default_factory=ExitStack)

    def volume(self) -> str:
        name = f"images-{secrets.token_hex(4)}"
        self.client.volumes.create(name)
        self.cleanup.callback(lambda: self.client.volumes.get(name).remove())
        return name

    def container(self, image: Image, files: Mapping[str, Path] | None = None, **options: Any) -> Container:
        """Created, not started. `files` maps a path inside to a file of ours, mounted read-only."""
        mounts = [Mount(inside, str(file), "bind", read_only=True) for inside, file in (files or {}).items()]
        container = self.client.containers.create(
            image.tag,
            name=f"images-{secrets.token_hex(4)}",
            network=self.network,
            read_only=True,
            init=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            mem_limit="256m",
            mounts=mounts,
            **options,
        )
        self.cleanup.callback(self.remove, container)
        return container

    def remove(self, container: Container) -> None:
        with suppress(docker.errors.NotFound):
            container.remove(force=True, v=True)

    def start_until_healthy(self, container: Container) -> Container:
        """Raises AssertionError with the container's log when it ends first, or takes longer than it may."""
        since = time.time()
        container.start()
        events = self.client.events(decode=True, since=since, filters={"container": container.id})
        limit = threading.Timer(HEALTHY_WITHIN_SECONDS, events.close)
        limit.start()
        try:
            for event in events:
                if event["Action"] == "health_status: healthy":
                    return container
                if event["Action"] == "die":
                    break
        finally:
            limit.cancel()
            events.close()
        raise AssertionError(f"not healthy: {container.logs().decode()}")


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
    return ["psql", "-qXAt", target, *(word for query in queries for word in ("-c", query))]


def ask(neighbour: Container, server: Container, query: str, password: str = PASSWORD) -> tuple[int, str]:
    """Over TCP from another container; the client itself refuses a server that asks for less than SCRAM."""
    ran = neighbour.exec_run(arguments(server, query), environment={"PGPASSWORD": password})
    return ran.exit_code, ran.output.decode().strip()


@pytest.fixture(scope="module")
def shared(daemon: Daemon) -> str:
    """The volume of the tests that only look at a server."""
    return daemon.volume()


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_postgres_takes_the_right_password_by_scram_and_no_other(
    daemon: Daemon, postgres: Callable[..., Container], neighbour: Container, shared: str
) -> None:
    server = daemon.start_until_healthy(postgres(shared))
    assert ask(neighbour, server, "SHOW server_version")[1].split(".")[0] == POSTGRES.version
    assert ask(neighbour, server, "SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'sentinel'") == (
        0,
        "SCRAM-SHA-256$",
    )
    code, said = ask(neighbour, server, "SELECT 1", password="wrong")
    assert code != 0
    assert "password authentication failed" in said
    code, said = ask(neighbour, server, "SELECT 1", password="")
    assert code != 0
    assert "no password supplied" in said


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

    began = time.monotonic()
    server.stop(timeout=30)
    assert time.monotonic() - began < 3
    assert server.wait()["StatusCode"] == 0
    said = server.logs().decode()
    assert "database system is shut down" in said
    assert PASSWORD not in said


@pytest.mark.lab
def test_postgres_keeps_its_data_over_another_container_on_the_volume(
    daemon: Daemon, postgres: Callable[..., Container], neighbour: Container, shared: str
) -> None:
    first = daemon.start_until_healthy(postgres(shared))
    assert ask(neighbour, first, "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('kept')") == (0, "")
    first.stop(timeout=30)
    first.remove()
    second = daemon.start_until_healthy(postgres(shared))
    assert ask(neighbour, second, "SELECT word FROM kept") == (0, "kept")


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
    assert ask(neighbour, server, "SELECT current_database()") == (0, "sentinel")
    assert not (data / "new").exists()


@pytest.mark.lab
def test_postgres_without_a_password_ends_and_says_what_to_set(daemon: Daemon) -> None:
    server = daemon.container(POSTGRES, volumes={daemon.volume(): {"bind": DATA, "mode": "rw"}})
    server.start()
    assert server.wait(timeout=30)["StatusCode"] == 1
    said = server.logs().decode()
    assert said == "Set POSTGRES_PASSWORD_FILE to a file that holds the password of the new database.\n"


@pytest.fixture
def prometheus_file(tmp_path: Path) -> Path:
    file = tmp_path / "prometheus.yml"
    file.write_text("scrape_configs:\n  - job_name: itself\n    static_configs: [{targets: ['127.0.0.1:9090']}]\n")
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
def test_promtool_of_the_prometheus_image_tells_a_good_configuration_from_a_bad_one(
    daemon: Daemon, prometheus_file: Path
) -> None:
    assert promtool(daemon, prometheus_file)[0] == 0
    prometheus_file.write_text("scrape_config: []\n")
    code, said = promtool(daemon, prometheus_file)
    assert code != 0
    assert "field scrape_config not found" in said


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
