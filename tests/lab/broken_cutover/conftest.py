"""A staged stack on the lab, Sentinel in standby beside ContextForge; a case breaks one thing and cuts over."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from console.paths import ROOT
from lab.benchmarks.watched import gateway_tokens, wait_for_answer, watched
from tests.lab.cutover.conftest import CONFIGURATION, Lab, lab

__all__ = ["Staged", "lab", "staged"]

PORT = 9200
GATEWAY, NETWORK = "mcp-context-forge-gateway-1", "mcp-context-forge_mcpnet"
LIMIT_SECONDS = 280
ANSWERS_WITHIN_SECONDS = 90
PROBE_EVERY_SECONDS = 0.1
"""A hundred sessions a second would keep ContextForge too busy for anything else."""
LONGEST_GAP_MS = 2000
"""A watch's own probes wait for their turn on a busy machine; a gateway that was touched shows in `as_it_is` too."""

Sections = dict[str, Any]


@dataclass
class Staged:
    """The lab with a staged Sentinel, and the ways to break it. What is changed in the configuration is put back."""

    lab: Lab

    def fails(self) -> str:
        """The output of a cutover that fails, while the gateway on the port answers throughout."""
        with self.answered_throughout():
            code, output = self.up()
        assert code != 0, output
        assert "Traceback" not in output, output
        return output

    def up(self) -> tuple[int, str]:
        done = subprocess.run(
            [self.lab.engine, "up", "--yes", "--skip-preview", "--non-interactive", "--color", "never"],
            cwd=ROOT,
            env=self.lab.variables,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=LIMIT_SECONDS,
        )
        return done.returncode, done.stdout + done.stderr

    def as_it_is(self) -> dict[str, Any]:
        """The facts that change once ContextForge is touched: its start, its endpoints, its restart policy."""
        found = self.lab.inspect(GATEWAY)
        networks = found["NetworkSettings"]["Networks"]
        return {
            "started": found["State"]["StartedAt"],
            "paused": found["State"]["Paused"],
            "endpoints": {name: one["EndpointID"] for name, one in networks.items()},
            "restart": found["HostConfig"]["RestartPolicy"],
            "ports": found["NetworkSettings"]["Ports"],
        }

    @contextmanager
    def answered_throughout(self) -> Generator[None]:
        tokens = gateway_tokens(self.lab.box)
        with watched(self.lab.box, PORT, tokens, interval_seconds=PROBE_EVERY_SECONDS) as seen:
            yield
        assert seen.gap_ms < LONGEST_GAP_MS, f"nobody answered for {seen.gap_ms} ms"

    @contextmanager
    def contextforge_off_its_network(self) -> Generator[None]:
        """It runs and publishes nothing. Afterwards it answers again: the next run begins with its baseline."""
        found = self.lab.inspect(GATEWAY)
        networks = found["NetworkSettings"]["Networks"]
        aliases = [f"--alias={alias}" for alias in networks[NETWORK]["Aliases"] if not found["Id"].startswith(alias)]
        # Its standby network too, once it has stood by: Docker 20.10 publishes a port on whatever network remains.
        for name in networks:
            self.lab.docker("network", "disconnect", name, GATEWAY)
        try:
            yield
        finally:
            self.lab.docker("network", "connect", *aliases, NETWORK, GATEWAY)
        wait_for_answer(self.lab.box, PORT, gateway_tokens(self.lab.box), ANSWERS_WITHIN_SECONDS)

    @contextmanager
    def configured(self, change: Callable[[Sections], None]) -> Generator[None]:
        """With `change` made to the stack's configuration, of which it gets the sections by name."""
        before = CONFIGURATION.read_text(encoding="utf-8")
        tree = yaml.safe_load(before)
        sections = {key.removeprefix("sentinel-cutover:"): value for key, value in tree["config"].items()}
        change(sections)
        tree["config"] = {f"sentinel-cutover:{key}": value for key, value in sections.items()}
        CONFIGURATION.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
        try:
            yield
        finally:
            CONFIGURATION.write_text(before, encoding="utf-8")

    @contextmanager
    def cutting_over(self, change: Callable[[Sections], None] = lambda sections: None) -> Generator[None]:
        """With `active: sentinel`, and a change more."""

        def both(sections: Sections) -> None:
            sections["active"] = "sentinel"
            change(sections)

        with self.configured(both):
            yield

    def image(self, *instructions: str, base: str = "") -> str:
        """The tag of an image made from the stack's Sentinel image, or from `base`, by these lines of a Dockerfile."""
        base = (
            base
            or yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))["config"]["sentinel-cutover:sentinel"]["image"]
        )
        lines = "\n".join([f"FROM {base}", "USER 0", *instructions, "USER 10001:10001"])
        tag = f"lab/broken:{abs(hash(lines)):x}"
        done = subprocess.run(
            ["docker", f"--host={self.lab.box.docker_host}", "build", "-q", "-t", tag, "-"],
            input=lines, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return tag


@pytest.fixture(scope="module")
def staged(lab: Lab) -> Generator[Staged]:
    """Staged before the first case, and as it was after the last."""
    found = Staged(lab)
    lab.set("active", "contextforge")
    lab.up()
    yield found
    lab.up()
