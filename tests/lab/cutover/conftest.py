"""The lab's stack, driven by the engine as its operator would, for tests of the whole story."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from console.paths import LOGS, ROOT
from console.progress import Progress
from lab.box import Box, Place, status
from lab.box.network import inside
from ops.engine import environment, prerequisites
from settings.names import PREDECESSOR_NETWORK
from tests.lab import diagnosis
from tests.lab.cutover.limits import GATEWAY

STACK = "lab"
CONFIGURATION = ROOT / f"Pulumi.{STACK}.yaml"


@dataclass
class Lab:
    """The engine on the lab's stack, and the state of the VPS as a test reads it."""

    box: Box
    engine: str = "pulumi"
    variables: dict[str, str] = field(default_factory=lambda: environment.complete(STACK))

    def pulumi(self, *arguments: str, check: bool = True, umask: int = -1) -> str:
        """The engine's output; the test fails with its diagnostics when the engine fails. -1: this process's umask."""
        done = subprocess.run(
            [self.engine, *arguments],
            cwd=ROOT,
            env=self.variables,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            umask=umask,
        )
        output = done.stdout + done.stderr
        assert not check or done.returncode == 0, diagnosis.of_a_run(output)
        return output

    def up(self, umask: int = -1) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", "--non-interactive", "--color", "never", umask=umask)

    def serve(self, active: str) -> None:
        """Give the port to that gateway; nothing happens where it has it already."""
        self.set("active", active)
        self.up()

    def outputs(self) -> dict[str, Any]:
        return json.loads(self.pulumi("stack", "output", "--json"))

    def planned(self) -> dict[str, int]:
        """The steps that a preview plans, by kind."""
        events = json.loads(self.pulumi("preview", "--json", "--non-interactive"))
        return events["changeSummary"]

    def set(self, key: str, value: str) -> None:
        self.pulumi("config", "set", key, value)

    def configuration(self) -> str:
        """The stack's file as it stands; the lab and the engine indent its lists differently."""
        return CONFIGURATION.read_text()

    def docker(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", f"--host={self.box.docker_host}", *arguments], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def inspect(self, container: str) -> dict[str, Any]:
        return json.loads(self.docker("inspect", container))[0]

    def pause(self, container: str) -> None:
        """As a gateway that hangs is: connections are taken, nothing is answered."""
        self.docker("pause", container)

    def stands_by(self, container: str) -> bool:
        """It runs on the standby network and no other."""
        found = self.inspect(container)
        return found["State"]["Status"] == "running" and [*found["NetworkSettings"]["Networks"]] == [
            PREDECESSOR_NETWORK
        ]

    def sql(self, statement: str) -> str:
        return self.docker(
            "exec", "sentinel-postgres", "psql", "-qtAX", "-h", "/run/postgresql", "-U", "sentinel", "-c", statement
        )

    def on_host(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` in the VPS's network."""
        return inside(self.box.vps, argv)

    def make(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`make COMMAND JSON=1`, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "ops", command, "--stack", STACK, "--json", *arguments],
            cwd=ROOT,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def ops(self, command: str, *arguments: str) -> Any:
        """The document of `make COMMAND JSON=1`; the exit status must say the same."""
        done = self.make(command, *arguments)
        assert done.stdout, done.stderr
        document: Any = json.loads(done.stdout)
        members = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
        assert "ok" not in members or (done.returncode == 0) is members["ok"], done.stderr
        return cast(Any, document)

    def backends(self) -> set[str]:
        """The names of the backends in the stack's configuration."""
        text = CONFIGURATION.read_text(encoding="utf-8")
        return {one["name"] for one in yaml.safe_load(text)["config"]["sentinel-cutover:backends"]}

    def verified(self) -> dict[str, Any]:
        """One call a backend through the port, whoever holds it."""
        return self.ops("verify")


@dataclass(frozen=True)
class Before:
    """ContextForge's gateway as it was before anything changed."""

    restart: str
    aliases: list[str]
    claude: dict[str, tuple[bytes, int, int, int]]


def claude_files(lab: Lab) -> dict[str, tuple[bytes, int, int, int]]:
    """Claude's file and its token file: content, mode and owner."""
    paths = [Path(lab.box.home) / name for name in (".claude.json", ".mcp-token")]
    stats = {path: path.stat() for path in paths}
    return {path.name: (path.read_bytes(), at.st_mode, at.st_uid, at.st_gid) for path, at in stats.items()}


def over_ssh(lab: Lab) -> list[tuple[str, str]]:
    """The settings of a laptop that reaches the VPS by ssh."""
    return [
        ("host.kind", "ssh"),
        ("host.address", lab.box.ssh.address),
        ("host.user", lab.box.ssh.user),
        ("host.private_key_file", lab.box.ssh.key),
        ("host.host_key", lab.box.ssh.host_key),
    ]


AS_FOUND = CONFIGURATION.read_text() if CONFIGURATION.exists() else None
"""The stack's configuration before the first test, where somebody had deployed one; not what another group left."""


@pytest.fixture(scope="package")
def lab(lab_box: Box) -> Generator[Lab]:
    """The lab of this clone, ready for the engine; settings and what somebody had deployed are put back."""
    prerequisites.make_ready(STACK, Progress(LOGS))
    # What is known of the box grows while it is made ready: its images.
    box = status(Place()).box
    assert box is not None and box.id == lab_box.id
    ready, settings = Lab(box), CONFIGURATION.read_text()
    yield ready
    if CONFIGURATION.exists():
        # The next story begins with the settings with which this one began.
        CONFIGURATION.write_text(settings)
    if AS_FOUND is not None:
        CONFIGURATION.write_text(AS_FOUND)
        ready.up()


@pytest.fixture(scope="package")
def before(lab: Lab) -> Before:
    lab.serve("contextforge")
    found = lab.inspect(GATEWAY)
    network = found["NetworkSettings"]["Networks"]["mcp-context-forge_mcpnet"]
    return Before(found["HostConfig"]["RestartPolicy"]["Name"], sorted(network["Aliases"]), claude_files(lab))
