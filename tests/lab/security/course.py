"""One course through the stack's life, on the lab's real parts, with what an attacker or a thief sees on the way.

    nothing deployed -> staged -> cutover -> firewall lost and found -> dockerd restarts -> reboot -> rollback -> gone

Owns: the order, and what is taken at each station. Deliberately does not: judge; the tests beside it do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from console.paths import ROOT
from console.progress import Progress
from lab import box as vps
from lab.benchmarks.inside_servers import Inside, seen_from_inside
from lab.benchmarks.watched import gateway_tokens, wait_for_answer
from lab.box import Place
from tests.lab.cutover.conftest import Lab
from tests.lab.security.egress import egress, listening_outside
from tests.lab.security.outside import ADDRESSES, Table, over_a_handover, scanned
from tests.lab.security.rotating import ROTATED, Rotation, rotated
from tests.lab.security.secrets_at_large import ProcessWatch, Search
from tests.lab.security.stolen import known_secrets, may_hold_in_environment, meant_to_hold, search_everything

GUARDED = 18080
"""Published by a test's container on every address, and guarded: the firewall alone holds it."""
UNGUARDED = 18081
"""The same without a guard, so that it is known that such a port is otherwise open to the outside."""
OURS = (3100, 9090, 9200, 9201)
"""The stack's ports on loopback: Grafana, Prometheus, and the gateway's two."""
OPEN_CONTAINER, CONTROL_CONTAINER = "security-open", "security-control"
FRESH = {"sentinel.log_level": "warn", "alerts.error_share": "0.11"}
"""New files for Sentinel and for Grafana at the cutover, so that their secrets are on their way during that run."""
DURING = "during the handover"
STATES = (
    "before the cutover",
    "after the cutover",
    "after a restart of dockerd",
    "after a reboot",
    "after a rollback",
)


@dataclass
class Course:
    """The observations, by state."""

    lab: Lab
    tables: dict[str, Table] = field(default_factory=dict[str, Table])
    gateway_over_handover: dict[str, Any] = field(default_factory=dict[str, Any])
    every_over_handover: dict[str, Any] = field(default_factory=dict[str, Any])
    control: Table = field(default_factory=dict[str, Any])
    without_firewall: Table = field(default_factory=dict[str, Any])
    script_run_again: Table = field(default_factory=dict[str, Any])
    shown: dict[str, Any] = field(default_factory=dict[str, Any])
    probed: dict[str, Any] = field(default_factory=dict[str, Any])
    search: Search = field(default_factory=lambda: Search({}))
    process_readings: int = 0
    process_holders: set[str] = field(default_factory=set[str])
    holders: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    containers: dict[str, Any] = field(default_factory=dict[str, Any])
    inside: Inside = field(default_factory=Inside)
    egress: dict[str, str] = field(default_factory=dict[str, str])
    rotated: dict[str, Rotation] = field(default_factory=dict[str, "Rotation"])
    left_on_destroy: dict[str, Any] = field(default_factory=dict[str, Any])


def run(lab: Lab, progress: Progress) -> Course:
    """The whole course; at its end nothing of the stack is deployed."""
    course = Course(lab)
    script = Path(lab.box.home) / "fix-iptables.sh"
    lab.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive")
    as_found = script.read_bytes()
    course.tables["before the cutover"] = scanned(lab)
    lab.set("active", "contextforge")
    lab.pulumi("config", "set", "--path", "firewall.guard_ports[0]", str(GUARDED))
    _set_keys(lab)
    with _test_container(lab, OPEN_CONTAINER, GUARDED, "unless-stopped"):
        lab.up()
        _cut_over(course)
        course.tables["after the cutover"] = scanned(lab)
        _inspect_containers(course)
        course.inside = seen_from_inside(lab.docker)
        search_everything(lab, course.search)
        course.holders = meant_to_hold(lab)
        _flush_and_restore_the_firewall(course, script)
        for key in ROTATED:
            course.rotated[key] = rotated(lab, key)
        vps.restart_docker(Place(), progress)
        _serving(lab)
        course.tables["after a restart of dockerd"] = scanned(lab)
        vps.reboot(Place(), progress)
        _serving(lab)
        course.tables["after a reboot"] = scanned(lab)
        lab.set("active", "contextforge")
        lab.up()
        course.tables["after a rollback"] = scanned(lab)
        course.shown["after a rollback"] = firewall(lab, "show")
    lab.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive")
    course.left_on_destroy = {"rules": _rules_of_ours(lab), "script": script.read_bytes() == as_found}
    lab.pulumi("config", "rm", "--path", "firewall.guard_ports")
    for key in FRESH:
        lab.pulumi("config", "rm", key)
    if figures := os.environ.get("SECURITY_FIGURES"):
        Path(figures).write_text(json.dumps(measured(course)), encoding="utf-8")
    return course


def measured(course: Course) -> dict[str, Any]:
    """The figures of the course that docs/security-proof.md shows."""
    tables = dict(course.tables)
    # A port that said nothing in 20 ms of the watch may just have been slow; what counts there is what answered.
    tables[DURING] = {address: {"open": course.every_over_handover[address]["open"]} for address in ADDRESSES}
    alone = {
        "bound everywhere, the firewall alone": course.tables["after the cutover"],
        "no rule, the loopback bind alone": course.without_firewall,
    }
    return {
        "ports": {state: _answers(tables[state]) for state in (STATES[0], DURING, *STATES[1:])},
        "rounds": {"every": course.every_over_handover["rounds"], "gateway": course.gateway_over_handover["rounds"]},
        "alone": {name: _answers(table, (*OURS, GUARDED)) for name, table in alone.items()},
        "searched": course.search.searched,
        "secrets": sorted(course.search.secrets),
        "process_readings": course.process_readings,
        "rotations": {
            key: {"reported_ms": one.document["downtime_ms"], "seen_ms": one.seen_ms}
            for key, one in course.rotated.items()
        },
    }


def _answers(table: Table, ports: Sequence[int] = ()) -> dict[str, dict[str, list[int]]]:
    return {
        address: {
            kind: [port for port in found[kind] if not ports or port in ports]
            for kind in ("open", "silent")
            if kind in found
        }
        for address, found in table.items()
    }


def firewall(lab: Lab, action: str, **changes: Any) -> dict[str, Any]:
    """`hostctl firewall ACTION` on the VPS, with the document that the stack would send."""
    document: dict[str, Any] = {
        "docker_socket": lab.box.docker_socket, "interfaces": ["eth0"], "ports": [*OURS, GUARDED], "ssh_port": 22,
        "script": f"{lab.box.home}/fix-iptables.sh", "folder": f"{lab.box.folder}/firewall", "escalation": "root",
        "image_of": "mcp-context-forge-gateway-1",
    }  # fmt: skip
    done = subprocess.run(
        lab.on_host([sys.executable, "-I", "-S", f"{lab.box.folder}/hostctl.pyz", "firewall", action]),
        input=json.dumps(document | changes), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _set_keys(lab: Lab) -> None:
    """Keys that only an operator has, where the stack has none yet; by stdin, as make secrets sets its own."""
    there = json.loads(lab.pulumi("config", "--json"))
    for key in ("firecrawl_api_key", "exa_api_key", "context7_api_key"):
        if f"sentinel-cutover:{key}" not in there:
            subprocess.run(
                [lab.engine, "config", "set", "--secret", key],
                input=secrets.token_urlsafe(32), text=True, check=True, capture_output=True, cwd=ROOT,
                env=lab.variables, timeout=60,
            )  # fmt: skip


def _cut_over(course: Course) -> None:
    """`pulumi up`, with every process and the ports watched, and all of the engine's output kept for the search."""
    lab = course.lab
    course.search = Search(known_secrets(lab))
    lab.set("active", "sentinel")
    for key, value in FRESH.items():
        lab.set(key, value)
    # The engine has the flag for its event log only so.
    verbose = dataclasses.replace(lab, variables=lab.variables | {"PULUMI_DEBUG_COMMANDS": "true"})
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "events"
        processes = ProcessWatch(course.search, lambda pid, line: may_hold_in_environment(lab, pid, line))
        with over_a_handover(lab, log) as seen, processes:
            output = verbose.pulumi(
                "up", "--yes", "--skip-preview", "--non-interactive", "--color", "never", "--event-log", str(log)
            )
    course.search.text("the engine's output", output)
    course.search.text("the engine's event log", seen.events)
    course.process_readings, course.process_holders = processes.rounds, processes.holders
    course.gateway_over_handover, course.every_over_handover = seen.gateway, seen.every


def _flush_and_restore_the_firewall(course: Course, script: Path) -> None:
    """Each defence alone: first the firewall for a port that is bound everywhere, then the bind alone."""
    lab = course.lab
    course.shown["by root"] = firewall(lab, "show")
    course.shown["in a container"] = firewall(lab, "show", escalation="container")
    course.probed = firewall(lab, "probe", ports=[*OURS, GUARDED])
    with _test_container(lab, CONTROL_CONTAINER, UNGUARDED, "no"):
        # The rule that is said to close a published port, and does not.
        _on_vps(lab, "iptables", "-A", "INPUT", "-i", "eth0", "-p", "tcp", "--dport", str(UNGUARDED), "-j", "DROP")
        course.control = scanned(lab, [UNGUARDED])
    for family in ("iptables", "ip6tables"):
        for chain in ("INPUT", "DOCKER-USER"):
            _on_vps(lab, family, "-F", chain)
    course.without_firewall = scanned(lab, [*OURS, GUARDED])
    _on_vps(lab, str(script))
    course.script_run_again = scanned(lab, [*OURS, GUARDED])


def _inspect_containers(course: Course) -> None:
    """Every container of the product as Docker has it, and where each gets from its own network."""
    lab = course.lab
    names = lab.docker("ps", "--format", "{{.Names}}").split()
    found = {name: lab.inspect(name) for name in names}
    course.containers = {
        name: one for name, one in found.items() if "sentinel-cutover.files" in one["Config"]["Labels"]
    }
    with listening_outside(lab):
        for name, one in course.containers.items():
            course.egress[name] = egress(["nsenter", f"--net=/proc/{one['State']['Pid']}/ns/net", "--"])
        course.egress["the VPS"] = egress(lab.on_host([]))


@contextlib.contextmanager
def _test_container(lab: Lab, name: str, port: int, restart: str) -> Generator[None]:
    """A web server that publishes on every address of the host, as a slip in a compose file would."""
    subprocess.run(["docker", f"--host={lab.box.docker_host}", "rm", "-f", name], capture_output=True)
    lab.docker(
        "run", "-d", "--name", name, "--restart", restart, "-p", f"{port}:8000", "--entrypoint", "python3",
        lab.box.images["contextforge"], "-m", "http.server", "8000",
    )  # fmt: skip
    try:
        # The control: on the VPS's own loopback it answers.
        _connected(lab, port)
        yield
    finally:
        lab.docker("rm", "-f", name)


def _connected(lab: Lab, port: int) -> None:
    program = (
        "import socket,time\n"
        "end=time.monotonic()+30\n"
        "while True:\n"
        "  try:\n"
        f"    s=socket.create_connection(('127.0.0.1',{port}),1);s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
        "    assert s.recv(4)==b'HTTP';break\n"
        "  except (OSError,AssertionError):\n"
        "    assert time.monotonic()<end;time.sleep(0.1)\n"
    )
    _on_vps(lab, sys.executable, "-I", "-S", "-c", program)


def _serving(lab: Lab) -> None:
    """Wait for the first good answer of the gateway on the port."""
    wait_for_answer(lab.box, 9200, gateway_tokens(lab.box), 120)


def _rules_of_ours(lab: Lab) -> list[str]:
    listed = _on_vps(lab, "iptables-save") + _on_vps(lab, "ip6tables-save")
    return [line for line in listed.splitlines() if "sentinel-cutover" in line]


def _on_vps(lab: Lab, *argv: str) -> str:
    done = subprocess.run(lab.on_host(argv), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout
