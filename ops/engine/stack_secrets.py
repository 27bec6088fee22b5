"""The secrets of a stack's configuration: made where they are missing, set without showing a value.

Owns: the form of a made secret, and setting it by `pulumi config set --secret` with the value on stdin (the Automation
API would put it into the engine's argv, where `ps` shows it).
Deliberately does not: print a value, or overwrite one unless its caller sets it by name.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.errors import UserError
from console.paths import ROOT
from ops.engine.run import ENGINE_MISSING
from settings.describe import is_made_secret
from settings.model import SECRET_KEYS, Settings

RANDOM_BYTES = 48
"""Random bytes of a made secret; 64 characters of A-Z, a-z, 0-9, '_' and '-'."""

Runner = Callable[[Sequence[str], str | None], str]
"""Runs argv with that stdin and returns stdout."""


@dataclass(frozen=True)
class Report:
    """Secret keys by their fate, without any value."""

    made: tuple[str, ...]
    kept: tuple[str, ...]
    yours: tuple[str, ...]
    in_the_clear: tuple[str, ...]

    def text(self, stack: str) -> str:
        """The text for a person: made and kept secrets, and the line for each that is theirs to set."""
        lines = [f"made: {', '.join(self.made) or 'none'}", f"kept: {', '.join(self.kept) or 'none'}"]
        if self.yours:
            lines.append("yours to set, where used (pulumi asks for the value):")
            lines += [f"  pulumi config set --secret --stack {stack} {key}" for key in self.yours]
        if self.in_the_clear:
            lines.append("set in the clear, so give a new value (pulumi asks for it):")
            lines += [f"  pulumi config set --secret --stack {stack} {key}" for key in self.in_the_clear]
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """The same for `JSON=1`."""
        return {"ok": not self.in_the_clear, "made": self.made, "kept": self.kept, "yours": self.yours}


def made_keys() -> Sequence[str]:
    """The keys of the secrets that can be made here; any other is the operator's."""
    return [key for key in SECRET_KEYS if is_made_secret(Settings.model_fields[key])]


def new_secret() -> str:
    """A random secret."""
    return secrets.token_urlsafe(RANDOM_BYTES)


def set_secret(stack: str, key: str, value: str, run: Runner) -> None:
    """Set one secret; its value goes through stdin."""
    run(["pulumi", "config", "set", "--secret", "--stack", stack, key], value)


def runner(stack: str, environment: Mapping[str, str], directory: Path = ROOT) -> Runner:
    """Runs the engine's command line on the stack's configuration; raises UserError with its message."""

    def run(argv: Sequence[str], stdin: str | None) -> str:
        try:
            completed = subprocess.run(
                argv,
                input=stdin or "",
                capture_output=True,
                text=True,
                cwd=directory,
                env=dict(environment),
                check=False,
            )
        except FileNotFoundError:
            raise UserError(ENGINE_MISSING) from None
        if completed.returncode != 0:
            reason = " ".join(completed.stderr.split()) or "it gave no reason"
            raise UserError(f"The configuration of stack {stack} could not be used by pulumi config: {reason}")
        return completed.stdout

    return run


def make_secrets(stack: str, run: Runner) -> Report:
    """Make every secret that is missing in the stack's configuration. Raises what the runner raises."""
    listed: dict[str, dict[str, Any]] = json.loads(run(["pulumi", "config", "--json", "--stack", stack], None))
    configured = {key.rpartition(":")[2]: bool(entry.get("secret")) for key, entry in listed.items()}
    made: list[str] = []
    for key in made_keys():
        if key not in configured:
            set_secret(stack, key, new_secret(), run)
            made.append(key)
    return Report(
        made=tuple(made),
        kept=tuple(key for key in SECRET_KEYS if configured.get(key)),
        yours=tuple(key for key in SECRET_KEYS if key not in configured and key not in made),
        in_the_clear=tuple(key for key in SECRET_KEYS if configured.get(key) is False),
    )
