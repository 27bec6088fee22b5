"""`make secrets STACK=…`: makes every secret that is missing, and lists those that only the operator can know.

Owns: what a made secret looks like, and setting it by `pulumi config set --secret` with the value on stdin (the
Automation API would put it into the engine's argv, where `ps` shows it).
Deliberately does not: overwrite anything, or print a value; `make rotate` replaces secrets.
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
from settings.describe import is_made_secret
from settings.model import SECRET_KEYS, Settings

RANDOM_BYTES = 48
"""Random bytes of a made secret; 64 characters of A-Z, a-z, 0-9, '_' and '-'."""

Runner = Callable[[Sequence[str], str | None], str]
"""Runs argv with that stdin and returns stdout."""


@dataclass(frozen=True)
class Report:
    """Keys by what happened to them; no value is in it."""

    made: tuple[str, ...]
    kept: tuple[str, ...]
    yours: tuple[str, ...]
    in_the_clear: tuple[str, ...]

    def text(self, stack: str) -> str:
        """What a person reads: what was made, what was kept, and the line for each that is theirs to set."""
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


def make_secrets(stack: str, environment: Mapping[str, str], directory: Path = ROOT) -> Report:
    """Makes what is missing in the stack's configuration; `environment` is the engine's.

    Raises UserError with the engine's own words when it cannot read or write the configuration.
    """

    def run(argv: Sequence[str], stdin: str | None) -> str:
        try:
            done = subprocess.run(
                argv,
                input=stdin or "",
                capture_output=True,
                text=True,
                cwd=directory,
                env=dict(environment),
                check=False,
            )
        except FileNotFoundError:
            raise UserError("The engine pulumi is not in PATH; run make up or make doctor first.") from None
        if done.returncode != 0:
            words = " ".join(done.stderr.split()) or "it gave no reason"
            raise UserError(f"The configuration of stack {stack} could not be used by pulumi config: {words}")
        return done.stdout

    return make_missing(stack, run)


def make_missing(stack: str, run: Runner) -> Report:
    """The same over a runner of argv and stdin."""
    listed: dict[str, dict[str, Any]] = json.loads(run(["pulumi", "config", "--json", "--stack", stack], None))
    found = {key.rpartition(":")[2]: bool(entry.get("secret")) for key, entry in listed.items()}
    made: list[str] = []
    for key in SECRET_KEYS:
        if key not in found and is_made_secret(Settings.model_fields[key]):
            run(["pulumi", "config", "set", "--secret", "--stack", stack, key], secrets.token_urlsafe(RANDOM_BYTES))
            made.append(key)
    return Report(
        made=tuple(made),
        kept=tuple(key for key in SECRET_KEYS if found.get(key)),
        yours=tuple(key for key in SECRET_KEYS if key not in found and key not in made),
        in_the_clear=tuple(key for key in SECRET_KEYS if found.get(key) is False),
    )
