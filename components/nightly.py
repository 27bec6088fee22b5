"""The nightly job: a backup that is read back, retention of the audit log, a weekly restore drill, the proof that a
rollback is possible, and tokens renewed.

Owns: its request, the job on the host (a block in the operator's script, else a job of the host's scheduler), and its
file among Prometheus's marks. The block is in the resource's inputs, so that a preview shows it.

Deliberately does not: run the job, remove a backup on a rollback, or touch a crontab of the operator's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pulumi

from components.base.handover_members import handover_members
from components.claude_client import entry_request
from components.host import Operation, StackArgs
from components.monitoring.prometheus import MARKS_SUFFIX, PORT, Prometheus
from components.monitoring.prometheus import NAME as PROMETHEUS
from components.postgres import NAME as POSTGRES
from components.sentinel.gateway import TOKENS
from components.verification import Verification
from hostctl.core import requests
from hostctl.nightly.request import NO_MARKS, Keep, Marks, NightlyRequest, Retention
from hostctl.postgres.psql import DatabaseRequest
from hostctl.schedule.job import Scheduler
from settings import Settings
from settings.limits import AUDIT_BATCH_ROWS
from settings.names import DATABASE, DATABASE_ADMIN, DATABASE_OWNER, POSTGRES_USER


@dataclass(frozen=True, kw_only=True)
class NightlyArgs(StackArgs):
    """Its dependencies; without `prometheus` the results stay in the job's own files."""

    verification: Verification
    prometheus: Prometheus | None


class Nightly(pulumi.ComponentResource):
    """The installed job. `report` is {"place", "reason", "run_by"}."""

    report: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: NightlyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Nightly", name, None, opts)
        request = nightly_request(args.settings)
        installed = args.host.action(
            f"{name}-installed",
            Operation("nightly", create="install", delete="remove"),
            requests.write(replace(request, block=request.expected_block)),
            parent=self,
            depends_on=[args.verification, *([args.prometheus] if args.prometheus else [])],
        )
        self.report = installed.result
        self.register_outputs({"report": self.report})


def nightly_request(settings: Settings) -> NightlyRequest:
    """The request of `hostctl nightly` and `hostctl backup`, made from the settings alone."""
    nightly, host = settings.nightly, settings.host
    marks = Marks(f"{host.folder}/{PROMETHEUS}{MARKS_SUFFIX}", f"127.0.0.1:{PORT}")
    return NightlyRequest(
        folder=f"{host.folder}/nightly",
        program=f"{host.folder}/hostctl.pyz",
        backups=nightly.folder,
        keep=Keep(nightly.keep_daily, nightly.keep_weekly, nightly.keep_monthly),
        database=DatabaseRequest(POSTGRES, DATABASE_OWNER, DATABASE, POSTGRES_USER, DATABASE_ADMIN),
        retention=Retention(nightly.audit_days, AUDIT_BATCH_ROWS),
        at=nightly.at,
        script=nightly.script or "",
        scheduler=Scheduler(host.scheduler, cron_folder=host.cron_folder),
        copy_to=nightly.copy_to or "",
        tokens=f"{host.folder}/{TOKENS}",
        prometheus=marks if settings.prometheus.enabled else NO_MARKS,
        rollback=handover_members(settings) if settings.predecessor.kind == "contextforge" else {},
        claude=entry_request(settings),
        docker_socket=host.docker_socket,
    )
