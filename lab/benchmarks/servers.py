"""The stdio servers on the lab that runs: each as seen from inside, and one that is killed while its tool is called.

Owns: the killing, the figures, and their tables. Deliberately does not: judge what is seen; `tests/lab/security` does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from console.errors import UserError
from console.paths import ROOT
from lab.benchmarks.inside_servers import seen_from_inside
from lab.benchmarks.retention import calling
from lab.benchmarks.watched import gateway_tokens
from lab.box import Box
from lab.box.network import inside
from settings import Settings

KEY = "servers"
TAKEN_BY = "python -m lab.benchmarks servers"
DEATHS = 10
SERVER = "playwright"
SLOW = {"tool": "browser_wait_for", "arguments": {"time": 20}}
QUICK = {"tool": "browser_navigate", "arguments": {"url": "data:text/html,<title>alive</title>"}}
"""The killed server's tools. Others are called meanwhile in another process of the gateway (`retention.calling`)."""
_HOME = "/tmp/home-"

Table = Callable[[Sequence[str], Sequence[Sequence[object]]], str]
Say = Callable[[str], None]


def take(box: Box, settings: Settings, say: Say) -> dict[str, Any]:
    """{"inside": {name: {"user", "variables", "opened", "files"}}, "deaths": {…}}."""

    def docker(*arguments: str) -> str:
        argv = ["docker", f"--host={box.docker_host}", *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120).stdout.strip()

    found = _inside(docker)
    say(f"seen from inside: {found}")
    with calling(box, settings) as others:
        deaths = _deaths(box, settings, docker, found[SERVER]["user"])
    deaths["others"] = {"calls": len(others.ms), "failed": others.bad, "longest_ms": max(others.ms)}
    say(f"deaths: {deaths}")
    return {"inside": found, "deaths": deaths}


def _inside(docker: Callable[..., str]) -> dict[str, dict[str, Any]]:
    seen = seen_from_inside(docker)
    found: dict[str, dict[str, Any]] = {}
    for user, processes in seen.environments.items():
        for pid, variables in processes.items():
            if seen.started_by_the_supervisor(pid):
                name = variables["HOME"].removeprefix(_HOME)
                opened = seen.opened[user]
                found[name] = {
                    "user": user,
                    "variables": sorted(variables),
                    "opened": sorted(opened),
                    "files": seen.files[pid],
                }
    return dict(sorted(found.items()))


def _deaths(box: Box, settings: Settings, docker: Callable[..., str], user: int) -> dict[str, Any]:
    """{"rounds", "lost", "next_ms": {"median", "longest"}}."""
    container = docker("ps", "--filter", "label=sentinel-cutover.role=gateway", "--format", "{{.Names}}")
    process = subprocess.Popen(
        inside(box.vps, [sys.executable, "-m", "lab.benchmarks.deaths_inside"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None and process.stdout is not None
    request = {
        "port": settings.sentinel.port,
        "token": gateway_tokens(box)[-1],
        "slow": SLOW,
        "quick": QUICK,
        "rounds": DEATHS,
    }
    try:
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        while (line := process.stdout.readline()) == "kill\n":
            os.kill(_server(docker, container, user), signal.SIGKILL)
            process.stdin.write("killed\n")
            process.stdin.flush()
    finally:
        process.stdin.close()
        process.wait(60)
    if not line:
        raise UserError(f"{SERVER} was not called again after a death: its reason is above.")
    taken = json.loads(line)
    times = sorted(taken["next_ms"])
    return {
        "rounds": len(times),
        "lost": taken["lost"],
        "next_ms": {"median": times[len(times) // 2], "longest": times[-1]},
    }


def _server(docker: Callable[..., str], container: str, user: int) -> int:
    """The server's process as the host counts it: that of its user whose parent is root's."""
    rows = [line.split() for line in docker("top", container, "-eo", "pid,ppid,uid").splitlines()[1:]]
    users = {pid: int(own) for pid, _, own in rows}
    return next(int(pid) for pid, parent, own in rows if int(own) == user and users.get(parent) == 0)


def seen(servers: Mapping[str, Any], table: Table) -> str:
    """One row a server: its user, its whole environment by name, what it can open, and what it has open."""
    rows = [
        (f"`{name}`", one["user"], _listed(one["variables"]), _listed(one["opened"]), _listed(one["files"]))
        for name, one in servers["inside"].items()
    ]
    return table(
        ("server", "user", "its variables", "secret files and other processes that it can read", "has open"), rows
    )


def deaths(servers: Mapping[str, Any], table: Table) -> str:
    """The calls that were lost, and the time to the next good one."""
    taken = servers["deaths"]
    others, following = taken["others"], taken["next_ms"]
    rows = [
        (f"`{SERVER}` killed by SIGKILL while its tool is called", f"{taken['rounds']} times"),
        ("calls lost: those under way", taken["lost"]),
        ("to the next good call of it, median", f"{following['median']:.0f} ms"),
        ("to the next good call of it, longest", f"{following['longest']:.0f} ms"),
        ("calls of another process meanwhile", f"{others['calls']}, {others['failed']} of them failed"),
        ("the longest of these", f"{others['longest_ms']:.0f} ms"),
    ]
    return table(("deaths of a server", "measured"), rows)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


TABLES: Mapping[str, Callable[[Mapping[str, Any], Table], str]] = {"servers_inside": seen, "server_deaths": deaths}
