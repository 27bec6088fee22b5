"""A state whose actions over ssh had a connection each: they become actions over the one connection (`verify/link`).

The engine would replace them: create each one again, then delete the former ones, the handover's too, and that delete
gives the port to the predecessor. In the state they are the same actions, on the same host, by another line.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any, cast

from pulumi import automation

from components.host import line_for
from console.progress import Progress
from ops.engine import ownership
from ops.engine.state import Snapshot
from settings.gateway_sections import Host

_FORMER, _TYPE = "command:remote:Command", "command:local:Command"


def replaced(opened: automation.Stack, stack: str, snapshot: Snapshot, progress: Progress) -> Snapshot:
    """The snapshot, after its state was brought to the one connection where it was not yet."""
    deployment = over_one_connection(snapshot.deployment, snapshot.settings.host)
    if deployment == snapshot.deployment:
        return snapshot
    ownership.replace(opened, stack, deployment)
    progress.line(f"The actions of stack {stack} share one ssh connection from now on.")
    return Snapshot(snapshot.settings, deployment)


def over_one_connection(deployment: Mapping[str, Any], host: Host) -> dict[str, Any]:
    """The deployment with each such action as today's program registers it, and without its private key."""
    if host.kind == "local" or _FORMER not in (text := json.dumps(deployment)):
        return dict(deployment)
    changed: dict[str, Any] = json.loads(text)
    pending = cast("list[dict[str, Any]]", changed.get("pending_operations") or [])
    recorded = cast("list[dict[str, Any]]", changed.get("resources") or [])
    for resource in [*recorded, *(operation["resource"] for operation in pending)]:
        if resource["type"] == _FORMER:
            for side in ("inputs", "outputs"):
                _carry_over(resource.get(side) or {}, host)
    return json.loads(json.dumps(changed).replace(_FORMER, _TYPE))


def _carry_over(members: dict[str, Any], host: Host) -> None:
    members.pop("connection", None)
    for step in ("create", "update", "delete"):
        if members.get(step):
            members[step] = line_for(host, shlex.split(members[step]))
