"""`host inspect`: everything about a host that a run relies on, read in seconds before the run touches anything.

Deliberately does not: change, start or write anything, or ask for a password.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine
from hostctl.inspection import docker_facts, files, network, rights, ssh_server
from hostctl.inspection.finding import Finding
from hostctl.inspection.request import InspectRequest


def inspect(request: InspectRequest) -> dict[str, Any]:
    """{"findings": [{"part", "verdict", "found", "fix"}]} in the order of a run's needs."""
    findings = [*_of("user", rights.user), *_of("ssh", ssh_server.limits)]
    engine = Engine(request.docker_socket)
    try:
        info = engine.get("/info")
    except Refusal as refusal:
        return _document([*findings, Finding("docker", "problem", str(refusal))])
    root = str(info.get("DockerRootDir") or "")
    parts: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("docker", lambda: docker_facts.daemon(info)),
        ("disk", lambda: files.space(request, root)),
        ("folder", lambda: files.folders(request)),
        ("networks", lambda: docker_facts.networks(request, engine)),
        ("ports", lambda: docker_facts.ports(request, engine)),
        ("rights", lambda: rights.jobs(request)),
        ("scripts", lambda: files.scripts(request)),
        ("claude", lambda: files.claude(request)),
        ("prune", lambda: docker_facts.prunes(request)),
        ("n8n", lambda: network.n8n(request, engine)),
    )
    for part, read in parts:
        findings += _of(part, read)
    return _document(findings)


def _of(part: str, read: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """The findings of one part; what cannot be read is no problem of the host's."""
    try:
        return list(read())
    except (Refusal, OSError) as error:
        return [Finding(part, "not checked", str(error))]


def _document(findings: Sequence[Finding]) -> dict[str, Any]:
    return {"findings": [finding.document() for finding in findings]}
