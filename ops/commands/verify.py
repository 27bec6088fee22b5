"""verify: what the stack's state and its port say.

Owns: turning the verification's answers into the fixed document.
Deliberately does not: call the gateway itself (`verify` does), nor change anything.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from pulumi import automation

from components.firewall import loopback_ports
from components.verification import known_members
from console.errors import UserError
from console.paths import ROOT
from console.progress import Progress
from console.result import Result
from ops.engine import environment, host, sandbox
from ops.engine.run import as_user_error, open_stack
from settings import Settings, SettingsError, load, report
from verify.documents import VerificationRequest
from verify.report import text as report_text


@dataclass(frozen=True)
class Looked:
    """What a stack looks like after a run: the last handover's figures, and the verification."""

    handover: Mapping[str, Any]
    verified: Result


@dataclass(frozen=True)
class Known:
    """What a run goes by: the stack's settings, and its state as `host.deployment_of` reads it."""

    settings: Settings
    deployment: Mapping[str, Any]


def verify(stack: str, progress: Progress) -> Result:
    """One call a backend through Claude's own entry, whoever has the port; asks the host, not the engine."""
    opened = open_stack(stack, progress, create=False)
    settings = settings_of(opened, stack)
    return every_backend(stack, settings, own_ports=loopback_ports(settings))


def look(
    opened: automation.Stack, stack: str, settings: Settings, outputs: Mapping[str, Any], *, began: datetime
) -> Looked:
    """After a run; what the program itself has verified since the run `began` is not asked a second time."""
    active = str(outputs.get("active", settings.active))
    told = cast("Mapping[str, Any] | None", outputs.get("verification"))
    if told and datetime.fromisoformat(told["at"]) >= began:
        verified = Result(told, report_text(told), ok=bool(told["ok"]))
    else:
        verified = every_backend(stack, settings)
    return Looked(_last_handover(opened, stack, settings, outputs, active), verified)


def every_backend(stack: str, settings: Settings, own_ports: Sequence[int] = ()) -> Result:
    """One call a backend through Claude's own entry."""
    request = VerificationRequest.model_validate({**known_members(settings), "own_ports": own_ports})
    ran = subprocess.run(
        _on_host(stack, [sys.executable, "-m", "verify", "check"]),
        input=request.model_dump_json(),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment.complete(stack),
    )
    try:
        document = json.loads(ran.stdout)
    except ValueError:
        said = ran.stderr.strip() or f"verify ended with exit code {ran.returncode} and said nothing."
        raise UserError(said) from None
    return Result(document, report_text(document), ok=ran.returncode == 0 and document["ok"])


def outputs_of(opened: automation.Stack, stack: str) -> dict[str, Any]:
    """Those that are no secret, as the last run left them."""
    return host.outputs_in(host.deployment_of(opened, stack))


def _last_handover(
    opened: automation.Stack, stack: str, settings: Settings, outputs: Mapping[str, Any], active: str
) -> Mapping[str, Any]:
    """The figures stand in the stack's output; of a port that was given back only in the journal on the host."""
    if outputs.get("handover"):
        return cast(Mapping[str, Any], outputs["handover"])
    resources = host.resources_of(opened, stack)
    try:
        seen = host.handover_status(stack, settings, resources)
    except UserError:
        return {}
    # "since" is empty where somebody else has the port than the last handover gave it to.
    return cast(Mapping[str, Any], seen["last"]) if seen["active"] == active and seen["since"] else {}


def known_of(opened: automation.Stack, stack: str) -> Known:
    """As both stand now; after a question, which a person may take minutes to answer, they are read once more."""
    return Known(settings_of(opened, stack), host.deployment_of(opened, stack))


def settings_of(opened: automation.Stack, stack: str) -> Settings:
    with as_user_error(f"reading the configuration of stack {stack}"):
        config = opened.get_all_config()
    try:
        return load(
            {name: one.value for name, one in config.items()},
            {name for name, one in config.items() if one.secret},
            stack=stack,
        )
    except SettingsError as error:
        raise UserError(report(error)) from None


def _on_host(stack: str, arguments: list[str]) -> list[str]:
    around = sandbox.of_stack(stack)
    return list(around.on_host(arguments)) if around else arguments
