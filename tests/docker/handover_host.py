"""A host to hand a port over on: real containers on a real Docker engine, on names and a port of its own.

Owns: the tiny image (this machine's Python and `gateway_server.py`), the containers, running the archive on the host,
an independent client. Deliberately does not: share anything with what else runs on that engine.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hostctl.docker.engine import DockerError, Engine

HERE = Path(__file__).resolve().parent
PORT = 19200
THIS_MACHINES, NEWER = "this machine's Docker", "a newer Docker"
ON_BOTH_DOCKERS = pytest.mark.parametrize("box", [THIS_MACHINES, NEWER], indirect=True)
"""Operators have one of today, on control groups of version 2, which no package of this machine's suite may be."""
TOKEN = "a-token-of-the-tests"
LEFT_OUT = {
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "lib2to3",
    "ensurepip",
    "site-packages",
    "dist-packages",
    "__pycache__",
    "pydoc_data",
    "turtledemo",
}


def make_image(docker_socket: str) -> str:
    """The tag of an image with this Python's standard library and the server; made once for each version of them."""
    server = (HERE / "gateway_server.py").read_bytes()
    tag = f"hostctl-test:{hashlib.sha256(server + sys.version.encode()).hexdigest()[:12]}"
    if Engine(docker_socket).find(f"/images/{tag}/json") is not None:
        return tag
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        interpreter = os.path.realpath(sys.executable)
        standard = Path(sysconfig.get_path("stdlib"))
        dynamic = [str(path) for path in (standard / "lib-dynload").glob("*.so")]
        linked = subprocess.run(["ldd", interpreter, *dynamic], capture_output=True, text=True).stdout
        libraries = {path for path in linked.split() if path.startswith("/") and not path.endswith(":")}
        for path in sorted(libraries | {interpreter}):
            tar.add(os.path.realpath(path), arcname=path)
        tar.add(standard, arcname=str(standard), filter=_needed)
        member = tarfile.TarInfo("gateway_server.py")
        member.size = len(server)
        tar.addfile(member, io.BytesIO(server))
    entry = f'ENTRYPOINT ["{interpreter}","-S","/gateway_server.py"]'
    subprocess.run(
        ["docker", "-H", f"unix://{docker_socket}", "import", "-c", entry, "-", tag],
        input=archive.getvalue(), check=True, capture_output=True,
    )  # fmt: skip
    return tag


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = set(member.name.split("/"))
    return None if parts & LEFT_OUT or any(part.startswith("config-") for part in parts) else member


@dataclass
class Host:
    """Names are the test's own, so that a lab that runs beside is not touched."""

    docker_socket: str
    in_host_namespace: list[str]
    image: str
    archive: Path
    scratch: Path
    ids: dict[str, str] = field(default_factory=lambda: dict[str, str]())
    record: dict[str, Any] = field(default_factory=lambda: dict[str, Any]())
    port: int = PORT

    def __post_init__(self) -> None:
        self.engine = Engine(self.docker_socket)
        self.mark = f"hct{os.getpid()}"
        self.internal, self.edge, self.own, self.also, self.standby = (
            f"{self.mark}-{n}" for n in ("internal", "edge", "forge", "n8n", "standby")
        )
        self.folder = self.scratch / "handover"
        self.token_file = self.scratch / "token"
        self.token_file.write_text(TOKEN)

    def make(self) -> None:
        self.make_networks()
        self.create(
            "database", self.own, {"com.docker.compose.project": self.mark, "com.docker.compose.service": "postgres"}
        )
        self.create(
            "forge", self.own,
            {"com.docker.compose.project": self.mark, "com.docker.compose.service": "gateway",
             "com.docker.compose.depends_on": "postgres:service_healthy:false"},
            inside=4444, aliases=["gateway"],
        )  # fmt: skip
        self.create_sentinel("sentinel")
        self.record = self.ok(
            "predecessor",
            "record",
            kind="contextforge",
            project=self.mark,
            gateway=f"{self.mark}-forge",
            port=self.port,
        )

    def make_networks(self) -> None:
        for network, internal in ((self.internal, True), (self.edge, False), (self.own, False), (self.also, False)):
            self.engine.post("/networks/create", {"Name": network, "Internal": internal, "CheckDuplicate": True})

    def create_sentinel(self, name: str, **values: Any) -> None:
        """A gateway that answers already, as `sentinel start` leaves it: a started one listens."""
        self.create(name, self.internal, {"sentinel-cutover.role": "gateway"}, 9200, ["sentinel-gateway"], **values)
        if values.get("start", True):
            command = ["docker", "-H", f"unix://{self.docker_socket}", "logs", "--follow", self.ids[name]]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as log:
                assert log.stdout
                first = log.stdout.readline()
                log.terminate()
            assert first == "listens\n", f"{name} ended before it listened"

    def create(
        self,
        name: str,
        network: str,
        labels: dict[str, str],
        inside: int = 0,
        aliases: list[str] | None = None,
        command: str = "",
        restart: str = "unless-stopped",
        health: list[str] | None = None,
        probed_every: float = 0.2,
        start: bool = True,
        files: dict[str, str] | None = None,
        **environment: str,
    ) -> None:
        full = f"{self.mark}-{name}"
        probe = {"Test": health, "Interval": int(probed_every * 1e9), "Retries": 2} if health else None
        published = {f"{inside}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(self.port)}]} if inside else {}
        made = self.engine.post(
            f"/containers/create?name={full}",
            {
                "Image": self.image,
                "Cmd": [command or str(inside or 80)],
                "Healthcheck": probe,
                "Env": [f"NAME={name}", f"TOKEN={TOKEN}", *(f"{key}={value}" for key, value in environment.items())],
                "Labels": labels,
                "ExposedPorts": {key: {} for key in published},
                "HostConfig": {
                    "NetworkMode": network,
                    "PortBindings": published,
                    "RestartPolicy": {"Name": restart},
                    "Mounts": [
                        {"Type": "bind", "Target": target, "Source": source, "ReadOnly": True}
                        for target, source in (files or {}).items()
                    ],
                },
                "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": aliases or []}}},
            },
        )
        self.ids[name] = made["Id"]
        if start:
            self.engine.post(f"/containers/{made['Id']}/start")

    def remove_container(self, name: str) -> None:
        if name in self.ids:
            subprocess.run(
                ["docker", "-H", f"unix://{self.docker_socket}", "rm", "-f", self.ids.pop(name)], capture_output=True
            )

    def remove(self) -> None:
        for name in list(self.ids):
            self.remove_container(name)
        for network in (self.internal, self.edge, self.own, self.also, self.standby):
            subprocess.run(
                ["docker", "-H", f"unix://{self.docker_socket}", "network", "rm", network], capture_output=True
            )

    def boots(self) -> None:
        """After a power cut: everything ended, and Docker starts what has a restart policy, in no order."""
        for identifier in self.ids.values():
            with suppress(DockerError):
                self.engine.post(f"/containers/{identifier}/kill")
        for identifier in self.ids.values():
            if self.engine.get(f"/containers/{identifier}/json")["HostConfig"]["RestartPolicy"]["Name"] != "no":
                # One whose port is held stays down.
                with suppress(DockerError):
                    self.engine.post(f"/containers/{identifier}/start")

    def document(self, sentinel: str = "sentinel", **values: Any) -> dict[str, Any]:
        return {
            "docker_socket": self.docker_socket,
            "container": self.ids.get(sentinel, "0" * 64),
            "edge": self.edge,
            "internal": self.internal,
            "aliases": ["sentinel-gateway"],
            "also": [self.also],
            "predecessor": self.record,
            "standby": self.standby,
            "port": self.port,
            "probe": {"path": "/mcp", "token_file": str(self.token_file)},
            "predecessor_probe": {"path": "/health"},
            "folder": str(self.folder),
            "limits": {"answer_seconds": 5, "predecessor_seconds": 10, "drain_seconds": 5},
            **values,
        }

    def call(
        self, verb: str, action: str, document: dict[str, Any], **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.in_host_namespace, sys.executable, "-I", "-S", str(self.archive), verb, action],
            input=json.dumps({"docker_socket": self.docker_socket, **document}),
            capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
        )  # fmt: skip

    def ok(self, verb: str, action: str, **document: Any) -> dict[str, Any]:
        done = self.call(verb, action, document)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def handover(self, action: str, sentinel: str = "sentinel", **values: Any) -> dict[str, Any]:
        return self.ok("handover", action, **self.document(sentinel, **values))

    def be_ill(self, name: str, ill: bool = True) -> None:
        """Make a running gateway answer 503 to everything from now on, over its restarts too; or well again."""
        change = "open('/ill', 'w')" if ill else "os.unlink('/ill')"
        interpreter = os.path.realpath(sys.executable)
        code, output = self.engine.inside(self.ids[name], [interpreter, "-S", "-c", f"import os; {change}"], 10)
        assert code == 0, output

    def age_the_journal(self) -> None:
        """Let the last handover be long ago: a gate that fails right after one may be good a moment later."""
        path = self.folder / "state.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "at": "2026-01-01T00:00:00.000Z"}))

    def gates(self, bearer: str = TOKEN, tool: str = "ping") -> dict[str, Any]:
        """The gates of a rollback, with a baseline and a record of Claude's as a cutover leaves them."""
        (self.scratch / "baseline.json").write_text(json.dumps({"tools": [{"name": tool}], "backends": []}))
        token = {"exists": True, "content": base64.b64encode(bearer.encode()).decode()}
        (self.scratch / "record.json").write_text(json.dumps({"found": {}, "token": token}))
        return {"baseline_folder": str(self.scratch), "claude_folder": str(self.scratch), "seconds": 5}

    def proof(self, **gates: str) -> tuple[str, str]:
        """Result and reason of `rollback prove`."""
        found = self.ok("rollback", "prove", **self.document(gates=self.gates(**gates), predecessor={}))
        return found["result"], found["reason"]

    def inspect(self, name: str) -> dict[str, Any]:
        return self.engine.get(f"/containers/{self.ids[name]}/json")

    def shape(self, name: str) -> dict[str, Any]:
        """The facts that a round trip must not change; the predecessor stays on its standby network."""
        found = self.inspect(name)
        return {
            "restart": found["HostConfig"]["RestartPolicy"],
            "running": (found["State"]["Running"], found["State"]["Paused"]),
            "networks": {
                network: sorted(set(facts["Aliases"] or []) - {found["Id"][:12]})
                for network, facts in found["NetworkSettings"]["Networks"].items()
                if network != self.standby
            },
        }

    def who_answers(self) -> str:
        """The name that gives a good answer on the port now, empty where none comes within two seconds."""
        command = [*self.in_host_namespace, sys.executable, str(HERE / "port_watch.py"), str(self.port), TOKEN, "first"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.split()
        return answer[2] if len(answer) == 4 and answer[3] == "200" else ""

    @contextmanager
    def held_connection(self, container: str, server: str) -> Generator[Callable[[], str]]:
        """Each call sends one more request over a connection that was opened before, and returns its status."""
        program = (
            "import http.client as h, sys\n"
            f"c = h.HTTPConnection('{self.mark}-{server}', 80, 5); c.connect(); s = c.sock\n"
            "for _ in sys.stdin: c.request('GET', '/health'); assert c.sock is s; a = c.getresponse(); a.read(); "
            "print(a.status, flush=True)"
        )
        command = [os.path.realpath(sys.executable), "-I", "-S", "-c", program]
        with subprocess.Popen(
            ["docker", "-H", f"unix://{self.docker_socket}", "exec", "-i", self.ids[container], *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdin and process.stdout
            to, answers = process.stdin, process.stdout

            def call() -> str:
                to.write("\n")
                to.flush()
                return answers.readline().strip()

            assert call() == "200"
            yield call

    @contextmanager
    def watched(self) -> Generator[Watch]:
        process = subprocess.Popen(
            [*self.in_host_namespace, sys.executable, str(HERE / "port_watch.py"), str(self.port), TOKEN],
            stdin=subprocess.PIPE, stdout=(self.scratch / "watch").open("w"),
        )  # fmt: skip
        watch = Watch(self.scratch / "watch")
        try:
            yield watch
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)


@dataclass(frozen=True)
class Answer:
    began: float
    ended: float
    who: str


@dataclass
class Watch:
    """The answers that the independent client got."""

    path: Path

    def answers(self) -> list[Answer]:
        rows = [line.split() for line in self.path.read_text().splitlines() if len(line.split()) == 4]
        return sorted(
            (Answer(float(b), float(e), who) for b, e, who, status in rows if status == "200"), key=lambda a: a.ended
        )

    def wait_for(self, who: str, count: int = 5) -> None:
        end = time.monotonic() + 10
        while sum(answer.who == who for answer in self.answers()) < count:
            assert time.monotonic() < end, f"{who} did not answer"
            time.sleep(0.02)

    def gap_ms(self, before: str, after: str) -> float:
        """From the last good answer of `before` to the first of `after`."""
        last = max(answer.ended for answer in self.answers() if answer.who == before)
        return (min(answer.ended for answer in self.answers() if answer.who == after) - last) * 1000
