"""Downtime of the port: through the program with both releases, and by bare Docker commands beside it.

Owns: these rounds on the running lab, and leaving Sentinel on the port with ContextForge in standby, as they found it.
Deliberately does not: hand the port over; the engine does, and in the bare case Docker's own command line.
"""

from __future__ import annotations

import http.client
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import ROOT
from hostctl.core.documents import rows
from lab.benchmarks.watched import gateway_tokens, journal_of_handover, wait_for_answer, watched
from lab.box import Box
from lab.real.contextforge import call_tool
from ops.engine import environment

PORT = 9200
STACK = "lab"
PREDECESSOR = "mcp-context-forge-gateway-1"
BARE = "bench-bare-sentinel"
BARE_READY_SECONDS = 90
TOOL = "sqlite-list-tables"
CALLS_SECONDS, CALL_EVERY_SECONDS = 30.0, 0.05
UPGRADED = "sentinel.health_interval_seconds"
"""A setting that makes another container."""
INTERVAL_SECONDS = 2
"""Its value in the lab."""

Spread = dict[str, float]


@dataclass
class Rounds:
    """The lab with both gateways' tokens, and what was taken on it, in milliseconds by name."""

    box: Box
    tokens: list[str] = field(default_factory=list[str])
    taken: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def prepare(self) -> None:
        """ContextForge serves: its token lies where Claude's then is, and both tokens are known from here on."""
        self.set("predecessor.keep", "standby")
        self.turn("contextforge")
        self.tokens = gateway_tokens(self.box)

    def round_trips(self, count: int, keep: str) -> None:
        """`count` cutovers and rollbacks by the engine, from ContextForge to ContextForge."""
        self.set("predecessor.keep", keep)
        for number in range(count):
            for active, way in (("sentinel", "cutover"), ("contextforge", "rollback")):
                self.handover(f"{keep}_{way}", f"{number + 1} of {count}", partial(self.turn, active))

    def calls_after_rollback(self) -> None:
        """One call of a tool after the other, right after ContextForge took the port back."""
        end = time.monotonic() + CALLS_SECONDS
        while time.monotonic() < end:
            began = time.monotonic()
            answer = call_tool(self.box, TOOL, {}, self.tokens[0])
            if answer.status != http.client.OK or answer.body["result"]["isError"]:
                raise UserError(f"A call after the rollback failed: {answer.status} {answer.body}")
            self.note("after_rollback_call_ms", round((time.monotonic() - began) * 1000, 1))
            time.sleep(CALL_EVERY_SECONDS)

    def to_other_sentinels(self, count: int) -> None:
        """`count` upgrades, by a changed setting, and rotations of a secret that the gateway reads when it starts."""
        self.turn("sentinel")
        try:
            for number in range(count):
                self.set(UPGRADED, str(INTERVAL_SECONDS + 1 - number % 2))
                self.handover("upgrade", f"{number + 1} of {count}", partial(self.turn, "sentinel"))
                self.handover("rotation", f"{number + 1} of {count}", self.rotate)
        finally:
            self.pulumi("config", "rm", UPGRADED)

    def handover(self, name: str, which: str, change: Callable[[], None]) -> None:
        """The figures of one change of the port's holder."""
        with watched(self.box, PORT, self.tokens, closely_while=journal_of_handover(self.box)) as seen:
            change()
        if seen.missed:
            reasons = "; ".join(seen.reasons)
            raise UserError(f"{name}: {seen.missed} attempts beside the handover had no answer: {reasons}.")
        own = self.own_figure()
        self.note(f"{name}_ms", own["downtime_ms"])
        for part, milliseconds in own["parts"].items():
            self.note(f"{name}_{part}", milliseconds)
        self.note(f"{name}_seen_ms", seen.gap_ms)
        self.note(f"{name}_silent_ms", seen.silent_ms)
        client = f"{seen.gap_ms} of {seen.silent_ms} ms for a client in {seen.attempts} attempts"
        figures = f"{own['downtime_ms']} ms by the program, {client}"
        _say(f"{name}, {which}: {figures} {own['parts']}")

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

    def rotate(self) -> None:
        """Neither gateway's token changes with it, so that the watch goes on."""
        argv = [sys.executable, "-m", "ops", "rotate", "--stack", STACK, "--json", "--secret", "health_token"]
        _output(argv, environment.complete(STACK), f"{secrets.token_urlsafe(32)}\n")

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
    argv += [argument for one in rows(host["CapAdd"]) for argument in ("--cap-add", one)]
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
        run.round_trips(rounds, "standby")
        run.calls_after_rollback()
        run.round_trips(rounds, "stopped")
        run.bare()
        run.set("predecessor.keep", "standby")
        run.to_other_sentinels(rounds)
    finally:
        run.remove_bare()
        run.set("predecessor.keep", "standby")
        run.turn("sentinel")
    say(f"{sum(map(len, run.taken.values()))} figures of downtimes")
    return {name: spread(values) for name, values in sorted(run.taken.items())}


def _output(argv: Sequence[str], variables: dict[str, str] | None, given: str = "") -> str:
    done = subprocess.run(argv, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, input=given)
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["no reason given"]
        raise UserError(f"{' '.join(argv[:4])} failed: {last[0]}")
    return done.stdout


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
