"""The reboot check's request: everything that must be true after a boot, and the ways to report it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hostctl.core.documents import rows
from hostctl.core.errors import Refusal
from hostctl.mcp.probe import Probe
from hostctl.schedule.job import AUTO, AtBoot, Job, Scheduler

NAME = "sentinel-cutover-reboot-check"
_DESCRIPTION = "the check after a boot: everything came back, and how long it took"


@dataclass(frozen=True)
class FolderRequest:
    """The folder of the marker and the result."""

    folder: str

    def __post_init__(self) -> None:
        if not os.path.isabs(self.folder):
            raise Refusal("'folder' is a relative path: give an absolute one")

    @property
    def request_file(self) -> str:
        """The marker: the request, with what ran when it was written."""
        return os.path.join(self.folder, "request.json")


@dataclass(frozen=True)
class RebootCheckRequest(FolderRequest):
    """`firewall` and `claude` are requests of other verbs, passed on.

    `nightly_request` is the file that the nightly job is installed with. The marker adds `marked_at`, `boot_id` and
    `before`: the networks of each container that ran when it was written.
    """

    program: str
    limit_seconds: float
    active: str
    sentinel: str
    standby: bool
    internal: str
    edge: str
    port: int
    health_port: int
    containers: tuple[str, ...] = ()
    predecessor: str = ""
    project: str = ""
    firewall: dict[str, Any] = field(default_factory=dict[str, Any])
    prometheus_port: int = 0
    jobs: tuple[str, ...] = ()
    grafana_port: int = 0
    grafana_user: str = "admin"
    grafana_password_file: str = ""
    contact_point: str = ""
    runbook: str = ""
    webhook_file: str = ""
    nightly_request: str = ""
    claude: dict[str, Any] = field(default_factory=dict[str, Any])
    probes: tuple[Probe, ...] = ()
    scheduler: Scheduler = AUTO
    docker_socket: str = ""
    marked_at: str = ""
    boot_id: str = ""
    before: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.active not in ("sentinel", "contextforge"):
            raise Refusal("'active' in the document on stdin must be sentinel or contextforge")

    @property
    def gateway(self) -> str:
        """The container that has the port."""
        return self.sentinel if self.active == "sentinel" else self.predecessor

    @property
    def running(self) -> list[str]:
        """Every container that must run."""
        gateways = {self.gateway, *([self.sentinel] if self.standby else [])}
        return sorted({*self.containers, *self.before, *gateways})

    @property
    def networks_before(self) -> Mapping[str, Sequence[str]]:
        return {name: [str(network) for network in rows(networks)] for name, networks in self.before.items()}

    @property
    def job(self) -> Job:
        argv = ("python3", "-I", "-S", self.program, "reboot-check", "check")
        return Job(NAME, _DESCRIPTION, argv, self.request_file, AtBoot(), self.scheduler)
