"""The night: a backup that is read back, retention of the audit log, a restore drill once a week, and tokens renewed.

Owns: the document that the night is given every night, what runs it (a block in the operator's script, a timer, a cron
entry), and its place among Prometheus's marks. The block is in the resource's inputs, so that a preview shows it.

Deliberately does not: run a night itself, remove a backup on the rollback, or touch a crontab of the operator's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.host import Host, Operation
from components.monitoring.prometheus import MARKS_SUFFIX, PORT, Prometheus
from components.monitoring.prometheus import NAME as PROMETHEUS
from components.postgres import NAME as POSTGRES
from components.sentinel.gateway import TOKENS
from components.verification import Verification
from hostctl.core.documents import Document
from hostctl.nightly.trigger import Trigger
from settings import Settings
from settings.limits import AUDIT_BATCH_ROWS
from settings.names import DATABASE, DATABASE_OWNER

__all__ = ["Nightly", "NightlyArgs", "night"]


@dataclass(frozen=True, kw_only=True)
class NightlyArgs:
    """What it stands on; without `prometheus` the night tells nobody but its own files."""

    settings: Settings
    host: Host
    verification: Verification
    prometheus: Prometheus | None


class Nightly(pulumi.ComponentResource):
    """`report` says what runs it: {"trigger", "reason", "run_by"}."""

    report: pulumi.Output[dict[str, object]]

    def __init__(self, name: str, args: NightlyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sentinel-cutover:index:Nightly", name, None, opts)
        document = night(args.settings)
        installed = args.host.action(
            f"{name}-installed",
            Operation("nightly", create="install", delete="remove"),
            {**document, "block": Trigger.of(Document(dict(document))).block.text},
            parent=self,
            depends_on=[args.verification, *([args.prometheus] if args.prometheus else [])],
        )
        self.report = installed.result
        self.register_outputs({"report": self.report})


def night(settings: Settings) -> Mapping[str, object]:
    """What `hostctl night` and `hostctl backup` are asked with, as far as the settings say it: all of it."""
    nightly, postgres, folder = settings.nightly, settings.postgres, settings.host.folder
    marks = {"folder": f"{folder}/{PROMETHEUS}{MARKS_SUFFIX}", "target": f"127.0.0.1:{PORT}"}
    return {
        "docker_socket": settings.host.docker_socket,
        "folder": f"{folder}/nightly",
        "program": f"{folder}/hostctl.pyz",
        "backups": nightly.folder,
        "keep": {"daily": nightly.keep_daily, "weekly": nightly.keep_weekly, "monthly": nightly.keep_monthly},
        "database": {
            "container": POSTGRES,
            "role": DATABASE_OWNER,
            "name": DATABASE,
            "uid": postgres.uid,
        },
        "retention": {"days": nightly.audit_days, "batch_rows": AUDIT_BATCH_ROWS},
        "restore_drill": nightly.restore_drill,
        "tokens": f"{folder}/{TOKENS}",
        "prometheus": marks if settings.prometheus.enabled else {},
        "trigger": {"kind": nightly.trigger, "script": nightly.script, "at": nightly.at},
    }
