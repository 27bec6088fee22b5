"""The nightly job's request: everything that its steps, and the same steps by hand, need to know."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.postgres.psql import DatabaseRequest
from hostctl.schedule.job import AUTO, Daily, InScript, Job, Scheduler, When

NAME = "sentinel-cutover-nightly"
BLOCK = "nightly"
COPY = "script-before"
LIMIT_SECONDS = 3 * 3600
_DESCRIPTION = "Sentinel's database: backup, retention, restore drill. A failure is reported and stops nothing."


@dataclass(frozen=True)
class Keep:
    """Days, weeks and months of which the newest backup is kept."""

    daily: int
    weekly: int
    monthly: int

    def __post_init__(self) -> None:
        if self.daily < 1 or self.weekly < 0 or self.monthly < 0:
            raise Refusal("'keep' in the document on stdin must keep at least one day, and no negative number")


@dataclass(frozen=True)
class Retention:
    """Days for which rows of the audit log are kept, and the rows of one batch."""

    days: int
    batch_rows: int

    def __post_init__(self) -> None:
        if self.days < 1 or self.batch_rows < 1:
            raise Refusal(
                "'retention' in the document on stdin must keep at least one day, in batches of at least one row"
            )


@dataclass(frozen=True)
class Marks:
    """Prometheus's folder of marks and its own address inside its container; both empty without Prometheus."""

    folder: str = ""
    target: str = ""


NO_MARKS = Marks()


@dataclass(frozen=True)
class NightlyRequest:
    """`script` is the operator's, empty where the host's scheduler runs the job at `at`, a time of day in UTC.

    `block` is the text that the preview showed for the script. `rollback` is the handover's request without its
    container and predecessor, empty where no gateway ran before Sentinel. `claude` is the request of `claude check`,
    empty in a job that was installed without it. `copy_to` is the operator's command that gets each new backup's path
    as "$1".
    """

    folder: str
    program: str
    backups: str
    keep: Keep
    database: DatabaseRequest
    retention: Retention
    at: str
    script: str = ""
    block: str = ""
    scheduler: Scheduler = AUTO
    tokens: str = ""
    copy_to: str = ""
    prometheus: Marks = NO_MARKS
    rollback: dict[str, Any] = field(default_factory=dict[str, Any])
    claude: dict[str, Any] = field(default_factory=dict[str, Any])
    docker_socket: str = ""

    def __post_init__(self) -> None:
        if not os.path.isabs(self.backups):
            raise Refusal("'backups' in the document on stdin is a relative path: give an absolute one")
        Daily(self.at)

    @property
    def request_file(self) -> str:
        """The request as it is kept on the host, for `nightly run`."""
        return os.path.join(self.folder, "request.json")

    @property
    def job(self) -> Job:
        when: When = Daily(self.at)
        if self.script:
            failure = f"the nightly job failed in part: see {self.folder}/nightly.json"
            when = InScript(self.script, BLOCK, "nightly.script", os.path.join(self.folder, COPY), failure)
        argv = ("python3", "-I", "-S", self.program, "nightly", "run")
        return Job(NAME, _DESCRIPTION, argv, self.request_file, when, self.scheduler, LIMIT_SECONDS)

    @property
    def expected_block(self) -> str:
        """The managed block's text, empty without a script."""
        when = self.job.when
        return self.job.block(when).text if isinstance(when, InScript) else ""


@dataclass(frozen=True)
class RestoreRequest(NightlyRequest):
    """`file` is the backup to restore: a name in the folder of backups, or an absolute path."""

    file: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.file:
            raise Refusal("'file' is missing in the document on stdin: give a backup's name or path")
