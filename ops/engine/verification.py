"""One call per backend through Claude's own entry, on the stack's host; and the findings after a run of the engine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from subprocess import PIPE
from typing import Any, cast

from pulumi import automation

from components.verification import known_members, rollback_command
from console.errors import UserError
from console.paths import ROOT
from console.result import Result
from ops.engine import environment, host, sandbox, state
from settings import Settings
from verify.documents import VerificationRequest
from verify.report import text as report_text


@dataclass(frozen=True)
class AfterRun:
    """A stack after a run: the last handover's figures, and the verification."""

    handover: Mapping[str, Any]
    verified: Result


class Check:
    """`verify check` in a process of its own, which loads its libraries before the request comes."""

    def __init__(self, stack: str) -> None:
        command = sandbox.on_host(stack, [sys.executable, "-m", "verify", "check"])
        variables = environment.complete(stack)
        self._process = subprocess.Popen(
            command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, cwd=ROOT, env=variables
        )

    def result(self, request: VerificationRequest) -> Result:
        """One call per backend; raises UserError without an answer."""
        out, err = self._process.communicate(request.model_dump_json())
        try:
            document = json.loads(out)
        except ValueError:
            raise UserError(
                err.strip() or f"verify ended with exit code {self._process.returncode} and gave no reason."
            ) from None
        return Result(document, report_text(document), ok=self._process.returncode == 0 and document["ok"])

    def __enter__(self) -> Check:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def after_run(
    opened: automation.Stack,
    stack: str,
    settings: Settings,
    outputs: Mapping[str, Any],
    check: Check,
    *,
    began: datetime,
) -> AfterRun:
    """The findings after a run; the program's own verification counts where it was made since the run `began`."""
    active = str(outputs.get("active", settings.active))
    own = cast("Mapping[str, Any] | None", outputs.get("verification"))
    if own and datetime.fromisoformat(own["at"]) >= began:
        verified = Result(own, report_text(own), ok=bool(own["ok"]))
    else:
        verified = check.result(_request(stack, settings))
    return AfterRun(_last_handover(opened, stack, settings, outputs, active), verified)


def verify_backends(stack: str, settings: Settings, own_ports: Sequence[int] = ()) -> Result:
    """One call per backend of the serving gateway; `own_ports` are tried on the host's other addresses as well."""
    with Check(stack) as check:
        return check.result(_request(stack, settings, own_ports))


def _request(stack: str, settings: Settings, own_ports: Sequence[int] = ()) -> VerificationRequest:
    own = {"rollback": rollback_command(settings, stack), "own_ports": own_ports, "every": True}
    return VerificationRequest.model_validate({**known_members(settings), **own})


def lines(verified: Result) -> list[str]:
    """The verification's table as the last rows of a command's text."""
    return [f"{'verified' if not at else '':<9}  {row}" for at, row in enumerate(verified.text.splitlines())]


def _last_handover(
    opened: automation.Stack, stack: str, settings: Settings, outputs: Mapping[str, Any], active: str
) -> Mapping[str, Any]:
    """The figures in the stack's output, or after a rollback those in the host's journal."""
    if outputs.get("handover"):
        return cast(Mapping[str, Any], outputs["handover"])
    try:
        status = host.handover_status(stack, settings, state.resources_of(opened, stack))
    except UserError:
        return {}
    # "since" is empty where another gateway has the port than the last handover gave it to.
    return cast(Mapping[str, Any], status["last"]) if status["active"] == active and status["since"] else {}
