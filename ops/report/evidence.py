"""The report's evidence: the stack's state, its history, and its host's answers; every secret masked.

Owns: the queries; one that fails is reported and does not end the report.
Deliberately does not: judge (`claims`), or read a file of the host itself: the host may be another machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

from pulumi import automation

from console.errors import UserError
from console.progress import Progress
from hostctl.docker.redacted_logs import masked
from ops.engine import claude_entry, claude_sessions, host, rollback_proof, state, verification
from ops.engine.history import Update, image_of, rows_of, updates_of
from ops.engine.run import open_stack
from settings import Settings
from settings.errors import texts

Facts = dict[str, Any]
CONTAINER = "docker:index/container:Container"
SHORTEST_SECRET = 6


@dataclass(frozen=True)
class Gathered:
    """`facts` is plain JSON without a secret; `settings` have the webhook, and stay out of it."""

    settings: Settings
    facts: Facts


def gathered(stack: str, progress: Progress) -> Gathered:
    """All evidence; raises UserError for a stack that is not deployed, or whose port never changed hands."""
    opened = open_stack(stack, progress, create=False)
    deployment = state.deployment_of(opened, stack)
    outputs = state.require_deployed(stack, state.outputs_in(deployment))
    settings, resources = state.settings_of(opened, stack), state.resources_in(deployment)
    request = {"folder": settings.host.folder, "containers": containers_in(resources)}
    seen = host.run(stack, settings, "report", "inspect", request)
    last = seen["last"]
    if not last.get("at"):
        raise UserError(
            f"There is nothing to report of stack {stack}: its port has never changed hands. "
            f"`make up STACK={stack}` with active: sentinel cuts over."
        )
    progress.line("Querying the host: port, firewall, rollback …")
    updates = updates_of(opened, stack)
    facts: Facts = {
        "stack": stack,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "active": outputs["active"],
        "kind": settings.host.kind,
        "seen": seen,
        "status": host.handover_status(stack, settings, resources),
        "update": update_of(updates, last["at"]),
        "history": rows_of(updates),
        "baseline": state.component(resources, "Baseline").get("document"),
        "gates": state.component(resources, "Gates").get("report"),
        "verification": _verification(stack, settings, outputs, last["at"]),
        "firewall": _firewall(stack, settings, resources),
        "rollback": _rollback(stack, settings, resources),
        "plugins": plugins_in(resources),
        "entry": claude_entry.checked(stack, settings),
        "sessions": claude_sessions.found(stack, settings),
        "nightly": settings.nightly.enabled,
    }
    return Gathered(settings, clean(facts, secrets_of(opened, stack)))


def containers_in(resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the program's containers and the predecessor's, once each."""
    ours = [
        resource.get("outputs", {}).get("name")
        for resource in resources
        if resource.get("type") == CONTAINER and not resource.get("delete")
    ]
    recorded = cast("list[Mapping[str, Any]]", state.predecessor_record(resources).get("containers") or [])
    names = [*(name for name in ours if isinstance(name, str)), *(str(resource["name"]) for resource in recorded)]
    return list(dict.fromkeys(names))


def plugins_in(resources: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Each provider's name and version, as the state has them."""
    versions: dict[str, str] = {}
    for resource in resources:
        kind = str(resource.get("type", ""))
        if kind.startswith("pulumi:providers:"):
            version = resource.get("inputs", {}).get("version") or resource.get("outputs", {}).get("version") or ""
            versions[kind.rpartition(":")[2]] = str(version)
    return versions


def secrets_of(opened: automation.Stack, stack: str) -> list[str]:
    """The values of the stack's secrets, whole, and of those that are objects each text within."""
    config = state.configuration_of(opened, stack)
    return [text for entry in config.values() if entry.secret for text in texts_of_secret(entry.value)]


def texts_of_secret(value: str) -> set[str]:
    """The forms in which a secret may appear: whole, its lines, and where it is JSON each text in it."""
    return {*value.split("\n"), *texts([value])}


def clean(facts: Any, secrets: Iterable[str]) -> Any:
    """The same without any of these secrets, as they are, in JSON or in an address, nor anything like a token."""
    spellings: set[str] = set()
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            spellings |= {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}
    return _each(facts, sorted(spellings, key=len, reverse=True))


def _each(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        return masked(value, secrets)
    if isinstance(value, Mapping):
        table = cast("Mapping[Any, Any]", value)
        return {_each(key, secrets): _each(member, secrets) for key, member in table.items()}
    if isinstance(value, list | tuple):
        return [_each(member, secrets) for member in cast("Sequence[Any]", value)]
    return value


def update_of(updates: Sequence[Update], moment: str) -> Facts:
    """The update within which the port changed hands; its number is 0 where the history does not have it."""
    at = datetime.fromisoformat(moment)
    for update in updates:
        ended = datetime.fromisoformat(update.ended) if update.ended else None
        # The history's times are whole seconds.
        if int(datetime.fromisoformat(update.at).timestamp()) <= at.timestamp() and (
            ended is None or at.timestamp() <= ended.timestamp() + 1
        ):
            image = image_of(update.settings)
            facts = {
                "number": update.number,
                "at": update.at,
                "ended": update.ended,
                "kind": update.kind,
                "result": update.result,
            }
            return {**facts, "image": image, "around": dict(update.around)}
    return {"number": 0}


def _verification(stack: str, settings: Settings, outputs: Mapping[str, Any], moment: str) -> Facts:
    """The program's own verification of this cutover; where it made none since, a new one."""
    own = cast("Facts | None", outputs.get("verification"))
    if own and datetime.fromisoformat(own["at"]).timestamp() >= int(datetime.fromisoformat(moment).timestamp()):
        return {**own, "made": "by the cutover"}
    return {**verification.verify_backends(stack, settings).document, "made": "by this report"}


def _firewall(stack: str, settings: Settings, resources: Sequence[Mapping[str, Any]]) -> Facts:
    """`show` and `probe` of `hostctl firewall`; "reason" says why neither was run."""
    request = state.component(resources, "Firewall").get("request")
    if request is None:
        return {"reason": "firewall.enabled is false" if not settings.firewall.enabled else "the state has no rules"}
    return {action: _tried(stack, settings, "firewall", action, request) for action in ("show", "probe")}


def _rollback(stack: str, settings: Settings, resources: Sequence[Mapping[str, Any]]) -> Facts:
    record = state.predecessor_record(resources)
    if record["kind"] == "absent":
        return {"reason": "there was no predecessor"}
    check = {"images": [settings.postgres.image], "predecessor": record}
    found = _tried(stack, settings, "rollback", "check", check)
    return found if "error" in found else {**found, "proof": rollback_proof.prove(stack, settings)}


def _tried(stack: str, settings: Settings, verb: str, action: str, document: Mapping[str, Any]) -> Facts:
    try:
        return host.run(stack, settings, verb, action, document)
    except UserError as error:
        return {"error": str(error)}
