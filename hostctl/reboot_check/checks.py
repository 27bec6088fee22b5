"""What must be true of the host after a boot, one row a part: containers, networks, port, firewall, and so on.

Owns: the looks and their words. Each says whether time can still fix what is not so: a container that is starting
can, a script without its block cannot.
Deliberately does not: change anything, wait, or keep a result.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hostctl import firewall, prometheus
from hostctl.claude_client import resolved_entry
from hostctl.claude_client.request import Place
from hostctl.core import http_json, requests
from hostctl.core.documents import Document, parsed, rows, table
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.containers import GATEWAY_ROLE, Container
from hostctl.docker.engine import Engine
from hostctl.host import loopback_only, port_holder
from hostctl.mcp import call_tools
from hostctl.mcp.probe import Probe
from hostctl.nightly.trigger import Trigger
from hostctl.schedule import at_boot, script_block
from hostctl.schedule.at_boot import BootEntry

REQUEST_SECONDS = 5.0


@dataclass(frozen=True)
class Row:
    """One part. `final`: it is not well, and no waiting will change that."""

    part: str
    ok: bool
    detail: str = ""
    final: bool = False

    @property
    def finished(self) -> bool:
        return self.ok or self.final


@dataclass(frozen=True)
class Asked:
    """What is expected. `before` has the networks of each container that ran when the marker was written."""

    docker_socket: str
    active: str
    sentinel: str
    standby: bool
    predecessor: str
    project: str
    internal: str
    edge: str
    port: int
    health_port: int
    containers: tuple[str, ...]
    before: Mapping[str, Sequence[str]]
    firewall: Mapping[str, Any]
    prometheus_port: int
    jobs: tuple[str, ...]
    grafana_port: int
    night_folder: str
    claude: Mapping[str, Any]
    probes: tuple[Probe, ...]

    @classmethod
    def of(cls, document: Document) -> Asked:
        """Raises Refusal."""
        active = document.text("active")
        if active not in ("sentinel", "contextforge"):
            raise Refusal("'active' in the document on stdin must be sentinel or contextforge")
        before = document.object("before", {}).values
        return cls(
            docker_socket=document.text("docker_socket"),
            active=active,
            sentinel=document.text("sentinel"),
            standby=document.optional("standby") is True,
            predecessor=document.text("predecessor", ""),
            project=document.text("project", ""),
            internal=document.text("internal"),
            edge=document.text("edge"),
            port=document.whole_number("port"),
            health_port=document.whole_number("health_port"),
            containers=tuple(document.texts("containers")),
            before={name: [str(one) for one in rows(found)] for name, found in before.items()},
            firewall=document.object("firewall", {}).values,
            prometheus_port=document.whole_number("prometheus_port", 0),
            jobs=tuple(document.texts("jobs")),
            grafana_port=document.whole_number("grafana_port", 0),
            night_folder=document.text("night_folder", ""),
            claude=document.object("claude").values,
            probes=tuple(requests.read(Probe, one) for one in document.objects("probes")),
        )

    @property
    def gateway(self) -> str:
        """The container that has the port."""
        return self.sentinel if self.active == "sentinel" else self.predecessor

    @property
    def running(self) -> list[str]:
        """Every container that must run."""
        gateways = {self.gateway, *([self.sentinel] if self.standby else [])}
        return sorted({*self.containers, *self.before, *gateways})


@dataclass(frozen=True)
class Seen:
    """The containers as they are now, and which networks there are and whether each is internal."""

    found: Sequence[Container]
    networks: Mapping[str, bool]

    def named(self, name: str) -> Container | None:
        return next((container for container in self.found if container.name == name), None)


def seen(engine: Engine) -> Seen:
    """Raises DockerError."""
    return Seen(containers.everything(engine), containers.internal_networks(engine))


def running_before(now: Seen, asked: Asked) -> dict[str, list[str]]:
    """Containers beside the gateways that run now and will after a boot, ours and the predecessor's; their networks.

    A restart policy of `no` is its owner's word that a container shall stay down.
    """
    ours = {asked.internal, asked.edge}
    return {
        one.name: sorted(attachment.network for attachment in one.attachments)
        for one in now.found
        if one.running and not one.paused and one.restart[0] != "no"
        if one.role != GATEWAY_ROLE and one.name != asked.predecessor
        if ours & {attachment.network for attachment in one.attachments}
        or (asked.project and one.project == asked.project)
    }


def of_containers(asked: Asked, now: Seen) -> Row:
    """Every one that must run does, healthy; none is paused, and not both gateways serve."""
    fixing: list[str] = []
    lost: list[str] = []
    for name in asked.running:
        told, final = _state(now.named(name))
        if told:
            (lost if final else fixing).append(f"{name} {told}")
    lost += [f"{one.name} is still paused" for one in now.found if one.paused and one.name not in asked.running]
    other = now.named(asked.predecessor) if asked.active == "sentinel" and asked.predecessor else None
    if other is not None and other.running and not other.paused:
        lost.append(f"{other.name} runs beside Sentinel (restart policy {other.restart[0]})")
    elif asked.active == "sentinel" and asked.predecessor and other is None:
        lost.append(f"{asked.predecessor} is gone, so there is no rollback")
    return _row("containers", lost, fixing, f"{len(asked.running)} run")


def of_networks(asked: Asked, now: Seen) -> Row:
    """Both networks, and on them whoever was."""
    wrong = [
        f"{name} {'does not exist' if name not in now.networks else 'is of the other kind'}"
        for name, internal in ((asked.internal, True), (asked.edge, False))
        if now.networks.get(name) is not internal
    ]
    expected = {name: set(found) for name, found in asked.before.items()}
    if asked.active == "sentinel":
        expected[asked.sentinel] = {asked.internal, asked.edge}
    elif asked.standby:
        expected[asked.sentinel] = {asked.internal}
    for name, wanted in sorted(expected.items()):
        container = now.named(name)
        # One that is gone is told among the containers.
        missing = [] if container is None else [network for network in sorted(wanted) if not container.on(network)]
        wrong += [f"{name} is not on {network}" for network in missing]
    standby = now.named(asked.sentinel) if asked.active == "contextforge" else None
    if standby is not None and standby.on(asked.edge):
        wrong.append(f"{standby.name} stands by and is on {asked.edge}")
    return _row("networks", wrong, [], f"{len(expected)} containers are on theirs")


def of_port(asked: Asked, now: Seen) -> Row:
    """One has it, the right one, on loopback only."""
    containers = port_holder.every(now.found, asked.port, asked.gateway)
    holders = containers or [port_holder.find([], asked.port, "")]
    if [holder.name for holder in holders] != [asked.gateway]:
        names = " and ".join(holder.name or holder.kind for holder in holders)
        return Row("port", False, f"{names} has it, {asked.gateway} should", final=bool(containers))
    bound = loopback_only.check([asked.port, asked.health_port])
    if not bound["ok"]:
        return Row("port", False, f"more than loopback: {', '.join([*bound['listening'], *bound['reachable']])}", True)
    return Row("port", True, f"{asked.gateway} alone has {asked.port}, on loopback")


def of_firewall(asked: Asked) -> Row:
    """The rules stand, and the host's script, which set them, would again."""
    if not asked.firewall:
        return Row("firewall", True, "not asked: firewall.enabled is false")
    try:
        shown = firewall.show(Document({**asked.firewall, "docker_socket": asked.docker_socket}))
    except Refusal as refusal:
        return Row("firewall", False, str(refusal), final=True)
    script = shown["script"]
    if not script["block"]:
        missing = f"{len(shown['missing'])} rules are missing" if shown["missing"] else "the rules hold until then"
        return Row("firewall", False, f"{script['path']} has lost its block; {missing}", final=True)
    if shown["missing"]:
        return Row("firewall", False, f"rules are missing, first {shown['missing'][0]}")
    if not shown["reached"]:
        return Row("firewall", False, "no packet reaches DOCKER-USER")
    return Row("firewall", True, f"{len(shown['ports'])} ports are guarded")


def of_timers(entry: BootEntry, night_folder: str) -> Row:
    """The next boot is checked too, and the night runs where one is installed."""
    told, runs = [at_boot.problem(entry)], [f"{entry.kind} runs the next check"]
    asked = os.path.join(night_folder, "asked.json")
    if os.path.exists(asked):
        told.append(_of_night(asked))
        runs.append("the night is installed")
    lost = "; ".join(one for one in told if one)
    return Row("timers", not lost, lost or ", ".join(runs), final=bool(lost))


def _of_night(asked: str) -> str:
    """Why the night would not run, empty when it would."""
    try:
        with open(asked, encoding="utf-8") as file:
            trigger = Trigger.of(Document(parsed(file.read()) or {}, asked))
        if trigger.kind != "script":
            return "" if os.path.exists(trigger.place) else f"{trigger.place} is gone, so no night runs"
        script = script_block.read(trigger.script)
        if script is None or not script_block.held(script, trigger.block, trigger.script):
            return f"{trigger.script} has lost its block, so no night runs"
    except Refusal as refusal:
        return str(refusal)
    return ""


def of_monitoring(asked: Asked, now: Seen) -> Row:
    """Prometheus scrapes what it should, Grafana answers."""
    if not asked.prometheus_port:
        return Row("monitoring", True, "not asked: prometheus.enabled is false")
    trouble = prometheus.problem("127.0.0.1", asked.prometheus_port, asked.jobs)
    if not trouble and asked.grafana_port and not _answers(asked.grafana_port, "/api/health"):
        trouble = f"Grafana does not answer on 127.0.0.1:{asked.grafana_port}"
    if not trouble:
        return Row("monitoring", True, f"{len(asked.jobs)} targets are up")
    # Nothing that hangs on a container that does not come back will fix itself.
    lost = any(_state(now.named(name))[1] for name in asked.containers)
    return Row("monitoring", False, trouble, final=lost)


def of_backends(asked: Asked, good: set[str]) -> Row:
    """Asks those that are not among the `good` yet through the port, as Claude would, and adds those that answer well.

    A backend that may fail (optional, known to be broken, switched off) is asked and never held against the boot.
    """
    try:
        entry = resolved_entry.show(requests.read(Place, Document(dict(asked.claude))))
    except Refusal as refusal:
        return Row("backends", False, str(refusal), final=True)
    if entry["transport"] != "http":
        return Row("backends", True, "not asked: Claude's entry is stdio; make verify asks them")
    left = [probe for probe in asked.probes if probe.name not in good]
    answers = call_tools.call_all(str(entry["url"]), table(entry["headers"]), left)
    good |= {name for name, told in answers.items() if not told}
    allowed_failures = {probe.name: probe.why_allowed() for probe in left}
    bad = [f"{name}: {told}" for name, told in answers.items() if told and not allowed_failures[name]]
    excused = [name for name, told in answers.items() if told and allowed_failures[name]]
    told = f"{len(good)} of {len(asked.probes)} answer through the port"
    return Row("backends", not bad, "; ".join(bad) or told + (f", {', '.join(excused)} excused" if excused else ""))


def _state(container: Container | None) -> tuple[str, bool]:
    """What is wrong with a container that must run, and whether it stays so."""
    if container is None:
        return "does not exist", True
    if container.paused:
        return "is still paused", True
    if not container.running:
        stays = container.restart[0] == "no"
        return ("does not run, and its restart policy is no" if stays else "does not run"), stays
    if container.restarting:
        return "ends and is started again", False
    if container.health not in ("", "healthy"):
        return f"is {container.health}", False
    return "", False


def _row(part: str, lost: Sequence[str], fixing: Sequence[str], good: str) -> Row:
    told = [*lost, *fixing]
    # What is still starting is waited for, so that a result names what is broken and nothing else.
    return Row(part, not told, "; ".join(told) or good, final=bool(lost) and not fixing)


def _answers(port: int, path: str) -> bool:
    try:
        return http_json.exchange("GET", f"http://127.0.0.1:{port}{path}", seconds=REQUEST_SECONDS).ok
    except http_json.NoAnswer:
        return False
