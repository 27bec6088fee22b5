"""verify: what the stack's state and its port say.

Owns: turning the verification's answers into the fixed document.
Deliberately does not: call the gateway itself (`verify` does), nor change anything.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pulumi import automation

from components.settings import Settings, SettingsError, load, report
from hostctl.journal import Journal
from ops import environment, surroundings
from ops.engine import open_stack, plain_outputs, told_in_one_sentence
from ops.errors import UserError
from ops.paths import ROOT
from ops.progress import Progress
from ops.result import Result


@dataclass(frozen=True)
class Looked:
    """What a stack looks like after a run: the last handover's figures, and the verification where it can be made."""

    handover: Mapping[str, Any]
    verified: Result | None


def verify(stack: str, progress: Progress) -> Result:
    """One call a backend through the port, as `python -m verify` on the stack's host."""
    opened = open_stack(stack, progress, create=False)
    settings = settings_of(opened, stack)
    if not is_near(stack, settings):
        raise UserError(
            f"Stack {stack} is on {settings.host.address}: run `make verify STACK={stack}` on that host, where its "
            "loopback port is."
        )
    return _every_backend(stack, settings, str(outputs_of(opened, stack).get("active", settings.active)), progress)


def look(opened: automation.Stack, stack: str, outputs: Mapping[str, Any], progress: Progress) -> Looked:
    """Of a stack that was just deployed; a host that is elsewhere can only be verified there."""
    settings = settings_of(opened, stack)
    active = str(outputs.get("active", settings.active))
    near = is_near(stack, settings)
    verified = _every_backend(stack, settings, active, progress) if near else None
    return Looked(_last_handover(settings, outputs, active), verified)


def _every_backend(stack: str, settings: Settings, active: str, progress: Progress) -> Result:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as plan:
        json.dump(_plan(settings, active), plan)
        plan.flush()
        arguments = [sys.executable, "-m", "verify", *_where(settings), "--expect", plan.name, "--json"]
        ran = subprocess.run(
            _on_host(stack, arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment.complete(stack),
        )
    for line in ran.stderr.splitlines():
        progress.line(line)
    try:
        document = json.loads(ran.stdout)
    except ValueError:
        said = ran.stderr.strip() or f"verify ended with exit code {ran.returncode} and said nothing."
        raise UserError(said) from None
    return Result(document, _verify_text(document), ok=ran.returncode == 0 and document["ok"])


def outputs_of(opened: automation.Stack, stack: str) -> dict[str, Any]:
    with told_in_one_sentence(f"reading the outputs of stack {stack}"):
        return plain_outputs(opened.outputs())


def is_near(stack: str, settings: Settings) -> bool:
    """Whether the host's loopback address can be reached from here."""
    return settings.host.kind == "local" or surroundings.of_stack(stack) is not None


def _last_handover(settings: Settings, outputs: Mapping[str, Any], active: str) -> Mapping[str, Any]:
    """The figures stand in the stack's output; of a port that was given back only in the journal on the host."""
    if outputs.get("handover"):
        return cast(Mapping[str, Any], outputs["handover"])
    try:
        last = Journal(f"{settings.host.folder}/handover").state()
    except OSError:
        return {}
    return last if last.get("active") == active else {}


def settings_of(opened: automation.Stack, stack: str) -> Settings:
    with told_in_one_sentence(f"reading the configuration of stack {stack}"):
        config = opened.get_all_config()
    try:
        return load(
            {name: one.value for name, one in config.items()},
            {name for name, one in config.items() if one.secret},
            stack=stack,
        )
    except SettingsError as error:
        raise UserError(report(error)) from None


def _plan(settings: Settings, active: str) -> dict[str, Any]:
    return {
        "active": active,
        "backends": [
            {
                "name": one.name,
                "tool": one.tool,
                "arguments": one.arguments,
                "expect": one.expect.model_dump(mode="json"),
                "timeout_seconds": one.timeout_seconds,
            }
            for one in settings.backends
        ],
    }


def _where(settings: Settings) -> list[str]:
    """The port, its path and Claude's token file are the same for both gateways."""
    url = f"http://127.0.0.1:{settings.sentinel.port}/mcp"
    return ["--url", url, "--token-file", settings.client.token_file]


def _on_host(stack: str, arguments: list[str]) -> list[str]:
    around = surroundings.of_stack(stack)
    return list(around.on_host(arguments)) if around else arguments


def _verify_text(document: dict[str, Any]) -> str:
    rows = [f"{one['name']:<22} {one['tool']:<24} {one['result']:<12} {one['ms']} ms" for one in document["backends"]]
    return "\n".join([*rows, f"{document['active']}: " + ("ok" if document["ok"] else "not ok")])
