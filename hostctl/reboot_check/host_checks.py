"""The host after a boot beside Docker: firewall, jobs, monitoring, and the backends through the port."""

from __future__ import annotations

from hostctl import firewall, nightly, prometheus
from hostctl.claude_client import resolved_entry
from hostctl.claude_client.request import Place
from hostctl.core import http_json, requests
from hostctl.core.documents import Document, table
from hostctl.core.errors import Refusal
from hostctl.firewall.request import FirewallRequest
from hostctl.mcp import call_tools
from hostctl.reboot_check import docker_checks
from hostctl.reboot_check.docker_checks import DockerState
from hostctl.reboot_check.request import RebootCheckRequest
from hostctl.reboot_check.row import Row
from hostctl.schedule import installer

REQUEST_SECONDS = 5.0


def of_firewall(request: RebootCheckRequest) -> Row:
    """The rules are set, and the next boot would set them again."""
    if not request.firewall:
        return Row("firewall", True, "not checked: firewall.enabled is false")
    try:
        values = {**request.firewall, "docker_socket": request.docker_socket}
        shown = firewall.show(requests.read(FirewallRequest, Document(values, "'firewall'")))
    except Refusal as refusal:
        return Row("firewall", False, str(refusal), final=True)
    lost = shown["boot"]["problem"]
    if lost:
        missing = (
            f"{len(shown['missing'])} rules are missing" if shown["missing"] else "the rules hold until the next boot"
        )
        return Row("firewall", False, f"{lost}; {missing}", final=True)
    if shown["missing"]:
        return Row("firewall", False, f"rules are missing, first {shown['missing'][0]}")
    if shown["unreached"]:
        return Row("firewall", False, f"{', '.join(shown['unreached'])}: packets are accepted before our rules")
    return Row("firewall", True, f"{len(shown['ports'])} ports are guarded")


def of_jobs(request: RebootCheckRequest) -> Row:
    """The next boot is checked too, and the nightly job runs where one is installed."""
    problems, good = [installer.problem(request.job)], [f"{request.job.kind} runs the next check"]
    try:
        nightly_request = nightly.kept_request(request.nightly_request) if request.nightly_request else None
        if nightly_request is not None:
            problem = installer.problem(nightly_request.job)
            problems.append(f"{problem}, so no nightly job runs" if problem else "")
            good.append("the nightly job is installed")
    except Refusal as refusal:
        problems.append(str(refusal))
    lost = "; ".join(problem for problem in problems if problem)
    return Row("timers", not lost, lost or ", ".join(good), final=bool(lost))


def of_monitoring(request: RebootCheckRequest, state: DockerState) -> Row:
    """Prometheus scrapes what it should, and Grafana answers."""
    if not request.prometheus_port:
        return Row("monitoring", True, "not checked: prometheus.enabled is false")
    trouble = prometheus.problem("127.0.0.1", request.prometheus_port, request.jobs)
    if not trouble and request.grafana_port and not _answers(request.grafana_port, "/api/health"):
        trouble = f"Grafana does not answer on 127.0.0.1:{request.grafana_port}"
    if not trouble:
        return Row("monitoring", True, f"{len(request.jobs)} targets are up")
    # A target whose container does not come back will not recover.
    lost = any(docker_checks.fault(state.named(name))[1] for name in request.containers)
    return Row("monitoring", False, trouble, final=lost)


def of_backends(request: RebootCheckRequest, good: set[str]) -> Row:
    """Call the backends that are not `good` yet through the port, as Claude would; add those that answer well.

    A backend that may fail (optional, or with an allowed failure) is called too, and never counts against the boot.
    """
    try:
        entry = resolved_entry.show(requests.read(Place, Document(request.claude, "'claude'")))
    except Refusal as refusal:
        return Row("backends", False, str(refusal), final=True)
    if entry["transport"] != "http":
        return Row("backends", True, "not called: Claude's entry is stdio; make verify calls them")
    left = [probe for probe in request.probes if probe.name not in good]
    faults = call_tools.call_all(str(entry["url"]), table(entry["headers"]), left)
    good |= {name for name, fault in faults.items() if not fault}
    allowed_failures = {probe.name: probe.why_allowed() for probe in left}
    bad = [f"{name}: {fault}" for name, fault in faults.items() if fault and not allowed_failures[name]]
    allowed = [name for name, fault in faults.items() if fault and allowed_failures[name]]
    count = f"{len(good)} of {len(request.probes)} answer through the port"
    return Row("backends", not bad, "; ".join(bad) or count + (f", {', '.join(allowed)} may fail" if allowed else ""))


def _answers(port: int, path: str) -> bool:
    try:
        return http_json.exchange("GET", f"http://127.0.0.1:{port}{path}", seconds=REQUEST_SECONDS).ok
    except http_json.NoAnswer:
        return False
