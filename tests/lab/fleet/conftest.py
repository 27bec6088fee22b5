"""Three hosts side by side, one of them hardened, and the clone whose operator reaches each of them by ssh."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from lab.box import orphans
from lab.box.network import namespace
from lab.doubles import plugins
from lab.doubles.discord import running as discord
from lab.doubles.plugins import LabFacts
from tests.lab.clone import Clone, made, plain_pulumi
from tests.relay import Relay

HARDENED = {"a": False, "b": False, "c": True}
"""The stacks, in the order in which they are named, and the profile of each one's host."""
LOOPBACK = "127.0.0.1"
SHARED = "sentinel-cutover:backends"
"""The setting that all hosts share, in Pulumi.fleet.yaml."""
RUN_SECONDS = 900


@dataclass(frozen=True)
class Fleet:
    """The hosts by their stack, and the folder of the operator's clone."""

    hosts: Mapping[str, Clone]
    operators: Path
    variables: Mapping[str, str]

    def make(self, command: str, *stacks: str, at_once: int = 3) -> Any:
        """The document of `make fleet-COMMAND STACKS="…" AT_ONCE=… YES=1 JSON=1`."""
        options = ["--json", "--yes", "--at-once", str(at_once)]
        done = self._run(
            [sys.executable, "-m", "ops", f"fleet-{command}", "--stack", *(stacks or self.hosts), *options]
        )
        assert done.stdout and "Traceback" not in done.stderr, done.stderr
        return json.loads(done.stdout)

    def pulumi(self, stack: str, *arguments: str, stdin: str = "") -> str:
        """The output of plain `pulumi`."""
        done = self._run(plain_pulumi(stack, *arguments), stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def secrets(self, stack: str) -> None:
        """Every secret of the stack: those that can be made, and the operator's own."""
        done = self._run([sys.executable, "-m", "ops", "secrets", "--stack", stack])
        assert done.returncode == 0, done.stderr
        own = {"discord_webhook": discord.webhook(self.hosts[stack].place), "firecrawl_api_key": f"fc-{'0' * 32}"}
        for key, value in own.items():
            self.pulumi(stack, "config", "set", "--secret", "--stack", stack, key, stdin=value)

    def serving(self) -> dict[str, str]:
        """The container that publishes the port on each host."""
        publishes = ("ps", "--filter", "publish=9200", "--format", "{{.Names}}")
        return {stack: host.docker(*publishes).rpartition("-")[0] for stack, host in self.hosts.items()}

    def _run(self, argv: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, cwd=self.operators, env=dict(self.variables), input=stdin, capture_output=True, text=True,
            timeout=RUN_SECONDS, check=False,
        )  # fmt: skip


@pytest.fixture(scope="package")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Generator[Fleet]:
    """ContextForge serves on each host; the operator has a file and the secrets of each stack."""
    hosts = {
        stack: made(tmp_path_factory.mktemp(f"host-{stack}"), hardened=hardened) for stack, hardened in HARDENED.items()
    }
    operators = made(tmp_path_factory.mktemp("operator")).folder
    home = tmp_path_factory.mktemp("pulumi-home")
    plugins.install(home, LabFacts(docker_hosts=(), ssh_hosts=(LOOPBACK,)))
    found = Fleet(hosts, operators, {**os.environ, "PULUMI_HOME": str(home)})
    with contextlib.ExitStack() as stack_of_relays, ThreadPoolExecutor() as pool:
        try:
            list(pool.map(Clone.make_ready, hosts.values()))
            for stack, host in hosts.items():
                ssh = host.box.ssh
                relay = Relay((ssh.address, ssh.port), namespace(host.box.wan))
                stack_of_relays.callback(relay.close)
                _write_settings(operators, stack, host, relay.port)
                found.secrets(stack)
            yield found
        finally:
            list(pool.map(Clone.take_down, hosts.values()))
    assert [orphans(host.place) for host in hosts.values()] == [[], [], []]


def _write_settings(folder: Path, stack: str, host: Clone, port: int) -> None:
    """The stack's file: what the host's own lab has, by ssh, without its secrets and what the fleet shares."""
    config: dict[str, Any] = yaml.safe_load((host.folder / "Pulumi.lab.yaml").read_text(encoding="utf-8"))["config"]
    plain = {key: value for key, value in config.items() if not _is_secret(value)}
    shared, ssh = plain.pop(SHARED), host.box.ssh
    reached = {"kind": "ssh", "address": LOOPBACK, "port": port, "user": ssh.user}
    plain["sentinel-cutover:host"] |= {**reached, "private_key_file": ssh.key, "host_key": ssh.host_key}
    (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": plain}), encoding="utf-8")
    (folder / "Pulumi.fleet.yaml").write_text(yaml.safe_dump({"config": {SHARED: shared}}), encoding="utf-8")


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and "secure" in cast("dict[str, Any]", value)
