"""`make rotate SECRET=name`: a new value for one secret, brought to everything that uses it by one `pulumi up`.

Owns: the cost of changing each secret, reported before and after; making the value, or reading one that only its issuer
can give. Deliberately does not: touch the host (the program does all of it), print a value, or keep the old one.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from typing import Any

from console.errors import UserError
from console.paths import ROOT
from console.progress import Progress
from console.question import require_yes
from console.result import Result
from hostctl.core import atomic_file
from ops.commands.up import up
from ops.engine import environment, orphans, sandbox, state
from ops.engine.run import EngineFailed, open_stack
from ops.engine.stack_secrets import new_secret, runner, set_secret
from settings.describe import is_made_secret
from settings.model import SECRET_KEYS, Settings

_NEW_SENTINEL = "a new Sentinel takes the port from the old one, with the downtime of one handover"
COSTS: Mapping[str, str] = {
    "jwt_secret": f"{_NEW_SENTINEL}; tokens of the old secret are refused from then on, Claude's is renewed at once",
    "postgres_password": f"Postgres restarts and its role gets the new password; then {_NEW_SENTINEL}; until then the "
    "audit rows of calls are lost",
    "health_token": f"{_NEW_SENTINEL}; /metrics is refused to the old token",
    "grafana_admin_password": "Grafana restarts and its admin gets the new password; the port is not touched",
    "grafana_secret_key": "Grafana restarts with an empty database: its sessions, silences and the alerts' history "
    "end, what the program provisions is there again; the port is not touched",
    "discord_webhook": "every sender of alerts restarts; the port is not touched",
    "n8n_api_key": "nothing restarts; the port is not touched",
    "firecrawl_api_key": f"{_NEW_SENTINEL}, where a backend uses it",
    "exa_api_key": f"{_NEW_SENTINEL}, where a backend uses it",
    "context7_api_key": f"{_NEW_SENTINEL}, where a backend uses it",
}


def rotate(stack: str, progress: Progress, *, secret: str, yes: bool) -> Result:
    """Change the secret and deploy; the document has `downtime_ms` of the port. Raises UserError."""
    key = secret
    if key not in COSTS:
        raise UserError(f"{key or 'SECRET='} names no secret: give SECRET= one of {', '.join(SECRET_KEYS)}.")
    progress.line(f"Rotating {key}: {COSTS[key]}.")
    before = _handover(stack, progress)
    if not (yes or sandbox.of_stack(stack)):
        require_yes(f"Rotate {key} of stack {stack} now?")
    value = _new_value(key)
    file = ROOT / f"Pulumi.{stack}.yaml"
    former = file.read_bytes()
    beginning = orphans.last_beginning(stack)
    set_secret(stack, key, value, runner(stack, environment.complete(stack)))
    try:
        deployed = up(stack, progress, yes=True)
    except UserError as failed:
        if orphans.last_beginning(stack) == beginning and not isinstance(failed, EngineFailed):
            atomic_file.write(str(file), former)
            raise
        # Some part may have the new value already: from here on the only way is forward.
        raise UserError(
            f"The new {key} is in the configuration, but not everything that uses it has it yet: {failed} Fix that, "
            f"then run `make up STACK={stack}` to continue."
        ) from None
    handover: Mapping[str, Any] = deployed.document["outputs"].get("handover") or {}
    took_over = bool(handover) and handover.get("at") != before.get("at")
    downtime = int(handover.get("downtime_ms", 0)) if took_over else 0
    effect = f"downtime {downtime} ms" if took_over else "the port was not touched"
    document = {"ok": deployed.ok, "secret": key, "cost": COSTS[key], "downtime_ms": downtime}
    return Result(document, f"{deployed.text}\nrotated    {key}: {effect}; the old value no longer works", deployed.ok)


def _handover(stack: str, progress: Progress) -> Mapping[str, Any]:
    opened = open_stack(stack, progress, create=False)
    return state.deployed_outputs(opened, stack).get("handover") or {}


def _new_value(key: str) -> str:
    """A random value where that will do; else the value that its issuer gave, from the terminal or from stdin."""
    if is_made_secret(Settings.model_fields[key]):
        return new_secret()
    if sys.stdin.isatty():
        value = getpass.getpass(f"New value of {key} (not shown): ", stream=sys.stderr)
    else:
        value = sys.stdin.readline()
    if not value.strip():
        raise UserError(f"{key} is given by its issuer: type it at the prompt, or pipe it in. Nothing was changed.")
    return value.strip()
