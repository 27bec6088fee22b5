"""`make status`: who serves and since when, whether it answers, and every difference between host and state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import automation
from pulumi.automation import events

from components.nightly import nightly_request
from console.progress import Progress
from console.result import Result
from hostctl.core import requests
from ops.engine import claude_entry, claude_sessions, grace, host, host_repair, rollback_proof, state, verification
from ops.engine.run import as_user_error, open_stack
from settings import Settings


def status(stack: str, progress: Progress) -> Result:
    """Exit status 0 only when the gateway that should serve does, answers, nothing differs, and no gate of a rollback
    fails."""
    opened = open_stack(stack, progress, create=False)
    deployment = state.deployment_of(opened, stack)
    outputs = state.require_deployed(stack, state.outputs_in(deployment))
    settings = state.settings_of(opened, stack)
    resources = state.resources_in(deployment)
    handover = host.handover_status(stack, settings, resources)
    life = host.run(stack, settings, "token", "life", {"path": settings.client.token_file})
    verified = verification.verify_backends(stack, settings)
    proof = rollback_proof.prove(stack, settings)
    used = grace.use(stack, settings)
    left = host_repair.unfinished(stack, settings, "show", resources)["unfinished"]
    lost = host_repair.presence(stack, settings, resources)
    entry = claude_entry.checked(stack, settings)
    document = {
        "active": handover["active"],
        "healthy": verified.ok,
        "since": handover["since"] or None,
        "drift": [
            *_of_the_port(handover, outputs),
            *map(_of_a_delete, left),
            *([entry["reason"]] if settings.active == "sentinel" and not entry["ok"] else []),
            *host_repair.missing_files(lost),
            *_of_resources(opened, stack),
        ],
        "token_days_left": life["days_left"],
        "predecessor": handover["predecessor"],
        "predecessor_memory_mb": handover["predecessor_memory_mb"],
        "sentinel": handover["sentinel"],
        "rollback": proof,
        "grace": used,
        "sessions": claude_sessions.found(stack, settings),
        "entries": entry["others"],
        "disks": nearly_full(stack, settings),
        "nightly": _nightly(stack, settings),
    }
    return Result(
        document,
        _text(document, settings, entry),
        ok=verified.ok and not document["drift"] and proof["ok"] is not False,
    )


def nearly_full(stack: str, settings: Settings) -> list[str]:
    """A sentence for each of the product's disks that an alert would name."""
    least = settings.alerts.disk_free_share
    document = {"folder": settings.host.folder, "backups": settings.nightly.folder}
    found = host.run(stack, settings, "resources", "free", document)["disks"]
    places = {"product": "the product's folder", "docker": "Docker's data", "backups": "the backups"}
    return [
        f"the disk with {places[name]} has {free:.0%} free: make room (docs/runbook.md#the-disk-is-full)"
        for name, free in found.items()
        if free < least
    ]


def _nightly(stack: str, settings: Settings) -> dict[str, Any] | None:
    """{"at": the end of the last run, None where it never ran, "ok"}; None where there is no nightly job."""
    if not settings.nightly.enabled:
        return None
    last = host.run(stack, settings, "nightly", "show", requests.write(nightly_request(settings)))["nightly"]
    return {"at": last.get("at"), "ok": last.get("ok")}


def _of_the_port(handover: Mapping[str, Any], outputs: Mapping[str, Any]) -> list[str]:
    """Drift that the host knows: an unfinished handover, or another gateway on the port than the state says."""
    drift: list[str] = []
    holder = str(handover["holder"]["name"]) if handover["holder"] else "nobody"
    if handover["busy"]:
        busy = handover["busy"]
        drift.append(
            f"{busy['reason']} (process {busy['pid']}) is at work since {busy['since']}: wait until it has ended"
        )
    elif handover["unfinished"]:
        unfinished = handover["unfinished"]
        drift.append(
            f"a handover that began at {unfinished['at']} was interrupted at {unfinished['point']}: "
            "finish it with `make up` or `make rollback`"
        )
    if handover["active"] != outputs["active"]:
        drift.append(f"{outputs['active']} should own the port, {holder} does")
    elif handover["active"] == "sentinel" and holder != outputs.get("sentinel"):
        drift.append(f"{outputs.get('sentinel')} should serve, {holder} does")
    return drift


def _of_a_delete(entry: Mapping[str, Any]) -> str:
    return f"{entry['verb']} could not be done at {entry['at']} ({entry['reason']}): `make up` repairs it"


def _of_resources(opened: automation.Stack, stack: str) -> list[str]:
    """Drift that the engine finds: every change that a refresh would make in the state."""
    steps: list[events.StepEventMetadata] = []

    def keep(event: events.EngineEvent) -> None:
        if event.resource_pre_event and event.resource_pre_event.metadata.op not in ("same", "refresh", "read"):
            steps.append(event.resource_pre_event.metadata)
        elif event.res_outputs_event and event.res_outputs_event.metadata.op in ("update", "delete"):
            steps.append(event.res_outputs_event.metadata)

    with as_user_error(f"comparing the state of stack {stack} with its host"):
        opened.preview_refresh(on_event=keep, suppress_progress=True)
    return differing(steps)


def differing(steps: Sequence[events.StepEventMetadata]) -> list[str]:
    """A sentence for each resource, once."""
    sentences: dict[str, str] = {}
    for step in steps:
        name = step.urn.rpartition("::")[2]
        if step.op == "delete":
            sentences[name] = f"{name} is gone from the host"
        elif name not in sentences:
            keys = ", ".join(step.diffs or sorted(step.detailed_diff or {}))
            sentences[name] = f"{name} differs from the state{f': {keys}' if keys else ''}"
    return list(sentences.values())


def _ran(nightly: Mapping[str, Any]) -> str:
    if not nightly["at"]:
        return "the job has not run yet"
    return f"the job last ran at {nightly['at']}{'' if nightly['ok'] else ', and failed in part: see `make report`'}"


def _text(document: Mapping[str, Any], settings: Settings, entry: claude_entry.Entry) -> str:
    days, memory = document["token_days_left"], document["predecessor_memory_mb"]
    see = "" if document["healthy"] else ", see `make verify`"
    lines = [
        f"active       {document['active']}, since {document['since'] or 'before this stack'}",
        f"healthy      {'every' if document['healthy'] else 'not every'} backend answers{see}",
        f"predecessor  {document['predecessor']}{f', {memory} MB of memory' if memory else ''}",
        f"sentinel     {document['sentinel']}",
        f"rollback     {rollback_proof.sentence(document['rollback'])}",
        f"token        {'none' if days is None else f'{days} days left'} in {settings.client.token_file}",
        *(f"grace        {sentence}" for sentence in grace.sentences(document["grace"])),
        *([f"nightly      {_ran(document['nightly'])}"] if document["nightly"] else []),
        *claude_sessions.lines(document["sessions"]),
        *claude_entry.lines(entry),
        *(f"disk         {item}" for item in document["disks"]),
        *(f"drift        {item}" for item in document["drift"] or ["none"]),
    ]
    return "\n".join(lines)
