"""Downtime of the port: through the program with both releases, and by bare Docker commands beside it.

Owns: these rounds on the running lab, and leaving Sentinel on the port with ContextForge paused, as they found it.
Deliberately does not: hand the port over; the engine does, and in the bare case Docker's own command line.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import ROOT
from lab.benchmarks.watched import gateway_tokens, journal_of_handover, wait_for_answer, watched
from lab.box import Box
from ops.engine import environment

PORT = 9200
STACK = "lab"
PREDECESSOR = "mcp-context-forge-gateway-1"
BARE = "bench-bare-sentinel"
BARE_READY_SECONDS = 90

Spread = dict[str, float]


@dataclass
class Rounds:
    """The lab with both gateways' tokens, and what was taken on it, in milliseconds by name."""

    box: Box
    tokens: list[str] = field(default_factory=list[str])
    taken: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def prepare(self) -> None:
        """ContextForge serves: its token lies where Claude's then is, and both tokens are known from here on."""
        self.set("predecessor.release", "pause")
        self.turn("contextforge")
        self.tokens = gateway_tokens(self.box)

    def round_trips(self, count: int, release: str) -> None:
        """`count` cutovers and rollbacks by the engine, from ContextForge to ContextForge."""
        self.set("predecessor.release", release)
        for number in range(count):
            for active, way in (("sentinel", "cutover"), ("contextforge", "rollback")):
                name = f"{release}_{way}"
                with watched(self.box, PORT, self.tokens, closely_while=journal_of_handover(self.box)) as seen:
                    self.turn(active)
                if seen.missed:
                    raise UserError(f"{name}: {seen.missed} attempts beside the handover had no answer.")
                own = self.own_figure()
                self.note(f"{name}_ms", own["downtime_ms"])
                for part, milliseconds in own["parts"].items():
                    self.note(f"{name}_{part}", milliseconds)
                self.note(f"{name}_seen_ms", seen.gap_ms)
                figures = (
                    f"{own['downtime_ms']} ms by the program, {seen.gap_ms} ms for a client in {seen.attempts} attempts"
                )
                _say(f"{release} {way}, {number + 1} of {count}: {figures}")

    def bare(self) -> None:
        """`docker stop` and `docker run` of the same two containers, and the reverse."""
        self.remove_bare()
        argv = run_argv(json.loads(self.docker("inspect", self.sentinel()))[0], BARE)
        with watched(self.box, PORT, self.tokens) as seen:
            self.docker("stop", PREDECESSOR)
            self.docker(*argv)
            self.docker("network", "connect", "sentinel", BARE)
            self.docker("start", BARE)
            self.until_answered()
        self.note("bare_cutover_seen_ms", seen.gap_ms)
        _say(f"bare docker stop and run, cutover: {seen.gap_ms} ms")
        with watched(self.box, PORT, self.tokens) as seen:
            self.docker("stop", BARE)
            self.docker("start", PREDECESSOR)
            self.until_answered()
        self.note("bare_rollback_seen_ms", seen.gap_ms)
        _say(f"bare docker stop and start, rollback: {seen.gap_ms} ms")
        self.remove_bare()

    def until_answered(self) -> None:
        """By a second watch, since the first one reports its figure only at its end."""
        wait_for_answer(self.box, PORT, self.tokens, BARE_READY_SECONDS)

    def remove_bare(self) -> None:
        """Remove the container that a killed run may have left; without one, nothing happens."""
        for container in self.docker("ps", "--all", "--quiet", "--filter", f"name=^{BARE}$").split():
            self.docker("rm", "--force", container)

    def turn(self, active: str) -> None:
        self.set("active", active)
        self.pulumi("up", "--yes", "--skip-preview", "--non-interactive", "--color", "never")

    def set(self, key: str, value: str) -> None:
        self.pulumi("config", "set", key, value)

    def sentinel(self) -> str:
        return self.pulumi("stack", "output", "sentinel").strip()

    def own_figure(self) -> dict[str, Any]:
        return json.loads((Path(self.box.folder) / "handover" / "state.json").read_text(encoding="utf-8"))

    def note(self, name: str, milliseconds: float) -> None:
        self.taken.setdefault(name, []).append(milliseconds)

    def pulumi(self, *argv: str) -> str:
        return _output(["pulumi", *argv], environment.complete(STACK))

    def docker(self, *argv: str) -> str:
        return _output(["docker", f"--host={self.box.docker_host}", *argv], None)


def run_argv(inspected: dict[str, Any], name: str) -> list[str]:
    """Docker's command line for a container like the inspected one, on the edge network, created and not started.

    Docker 20.10 takes one network at a time, so that the second is connected before the start.
    """
    host, settings = inspected["HostConfig"], inspected["Config"]
    argv = ["create", "--name", name, "--network", "sentinel-edge", "--user", settings["User"], "--read-only"]
    argv += ["--init", "--cap-drop", "ALL", "--memory", str(host["Memory"]), "--memory-swap", str(host["MemorySwap"])]
    argv += [argument for one in settings["Env"] for argument in ("--env", one)]
    argv += [argument for path, how in host["Tmpfs"].items() for argument in ("--tmpfs", f"{path}:{how}")]
    argv += [
        argument
        for one in inspected["Mounts"]
        if one["Type"] == "bind"
        for argument in ("--volume", f"{one['Source']}:{one['Destination']}:ro")
    ]
    for inside, bindings in host["PortBindings"].items():
        argv += ["--publish", f"{bindings[0]['HostIp']}:{bindings[0]['HostPort']}:{inside.split('/')[0]}"]
    return [*argv, inspected["Image"], *settings["Cmd"]]


def spread(values: Sequence[float]) -> Spread:
    ordered = sorted(values)
    return {"min": ordered[0], "median": ordered[len(ordered) // 2], "max": ordered[-1], "rounds": len(ordered)}


def take(box: Box, rounds: int, say: Callable[[str], None]) -> dict[str, Spread]:
    """Every downtime, by name. The lab ends as `make up` would leave it."""
    run = Rounds(box)
    run.prepare()
    try:
        run.round_trips(rounds, "pause")
        run.round_trips(1, "stop")
        run.bare()
    finally:
        run.remove_bare()
        run.set("predecessor.release", "pause")
        run.turn("sentinel")
    say(f"{sum(map(len, run.taken.values()))} figures of downtimes")
    return {name: spread(values) for name, values in sorted(run.taken.items())}


def _output(argv: Sequence[str], variables: dict[str, str] | None) -> str:
    done = subprocess.run(
        argv, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["no reason given"]
        raise UserError(f"{' '.join(argv[:4])} failed: {last[0]}")
    return done.stdout


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
