"""`make status`: who serves and since when, whether it answers, and every difference between host and state.

Owns: the document, and the drift in words.
Deliberately does not: change anything; the engine's refresh is only previewed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import automation
from pulumi.automation import events

from console.progress import Progress
from console.result import Result
from ops.engine import host, state, verification
from ops.engine.run import as_user_error, open_stack
from settings import Settings


def status(stack: str, progress: Progress) -> Result:
    """Exit status 0 only when the gateway that should serve does, answers, and nothing differs."""
    opened = open_stack(stack, progress, create=False)
    deployment = state.deployment_of(opened, stack)
    outputs = state.require_deployed(stack, state.outputs_in(deployment))
    settings = state.settings_of(opened, stack)
    handover = host.handover_status(stack, settings, state.resources_in(deployment))
    life = host.run(stack, settings, "token", "life", {"path": settings.client.token_file})
    verified = verification.verify_backends(stack, settings)
    left = host.run(stack, settings, "unfinished", "show", {"folder": settings.host.folder})["unfinished"]
    document = {
        "active": handover["active"],
        "healthy": verified.ok,
        "since": handover["since"] or None,
        "drift": [*_of_the_port(handover, outputs), *map(_of_a_delete, left), *_of_resources(opened, stack)],
        "token_days_left": life["days_left"],
        "predecessor": handover["predecessor"],
        "sentinel": handover["sentinel"],
    }
    return Result(document, _text(document, settings), ok=verified.ok and not document["drift"])


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


def _text(document: Mapping[str, Any], settings: Settings) -> str:
    answers = {
        True: "every backend answers",
        False: "not every backend answers, see `make verify`",
    }
    days = document["token_days_left"]
    lines = [
        f"active       {document['active']}, since {document['since'] or 'before this stack'}",
        f"healthy      {answers[document['healthy']]}",
        f"predecessor  {document['predecessor']}",
        f"sentinel     {document['sentinel']}",
        f"token        {'none' if days is None else f'{days} days left'} in {settings.client.token_file}",
        *(f"drift        {item}" for item in document["drift"] or ["none"]),
    ]
    return "\n".join(lines)
