"""up, preview, refresh, down: the commands that run the engine.

Owns: asking before something of an existing host changes, and the summary after it.
Deliberately does not: print; a command returns its document and the text for a person.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pulumi import automation

from console.errors import UserError
from console.progress import Progress
from console.result import Result
from ops.commands import verify
from ops.commands.history import changes_in_words
from ops.commands.verify import Known, Looked
from ops.engine import environment, host, host_repair, prerequisites, recovery, sandbox
from ops.engine.run import as_user_error, color, open_stack, plain_outputs


def up(stack: str, progress: Progress, *, yes: bool) -> Result:
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress)
    known = verify.known_of(opened, stack)
    refuse_another_host(stack, known)
    if not (yes or sandbox.of_stack(stack)):
        previewed(opened, stack, progress)
        ask(f"Make these changes to stack {stack}?")
        known = verify.known_of(opened, stack)
    began = datetime.now(UTC).replace(microsecond=0)
    done = recovery.up(opened, stack, known, progress)
    outputs = plain_outputs(done.outputs)
    changes = {str(kind): count for kind, count in (done.summary.resource_changes or {}).items()}
    looked = verify.look(opened, stack, known.settings, outputs, began=began)
    ok = looked.verified.ok
    return Result(_up_document(outputs, changes, looked, ok), _up_text(stack, outputs, changes, looked), ok)


def preview(stack: str, progress: Progress) -> Result:
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress)
    refuse_another_host(stack, verify.known_of(opened, stack))
    changes = previewed(opened, stack, progress)
    return Result({"ok": True, "changes": changes}, _all_in_words(changes))


def refresh(stack: str, progress: Progress, *, yes: bool) -> Result:
    environment.require_state(stack)
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress, create=False)
    if not (yes or sandbox.of_stack(stack)):
        ask(f"Write into the state of stack {stack} what its host looks like now?")
    done = recovery.alone(
        opened,
        f"pulumi refresh of stack {stack}",
        progress,
        lambda: opened.refresh(on_output=progress.line, color=color(), suppress_progress=True, show_secrets=False),
    )
    changes = {str(kind): count for kind, count in (done.summary.resource_changes or {}).items()}
    return Result({"ok": True, "changes": changes}, _all_in_words(changes))


def down(stack: str, progress: Progress, *, yes: bool) -> Result:
    around = sandbox.of_stack(stack)
    if around:
        with prerequisites.alone(stack, progress):
            around.remove(progress)
        return Result({"ok": True, "stack": stack}, f"Stack {stack}, its sandbox and its state are gone.")
    environment.require_state(stack)
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress, create=False)
    known = verify.known_of(opened, stack)
    if not yes:
        with as_user_error(f"pulumi destroy --preview-only of stack {stack}"):
            opened.destroy(
                on_output=progress.line, color=color(), suppress_progress=True, show_secrets=False, preview_only=True
            )
        nobody = known.settings.predecessor.kind == "absent"
        heir = "nobody has the port then" if nobody else "the predecessor gets the port"
        ask(f"Destroy stack {stack}: {heir}, Sentinel is removed, its data is kept?")
        known = verify.known_of(opened, stack)
    settings, resources = known.settings, host.resources_in(known.deployment)
    recovery.fix(opened, stack, known, progress, destroying=True)
    host_repair.keep_program(stack, settings, resources, progress)
    recovery.alone(
        opened,
        f"pulumi destroy of stack {stack}",
        progress,
        lambda: opened.destroy(on_output=progress.line, color=color(), suppress_progress=True, show_secrets=False),
    )
    kept = environment.variables(stack)["PULUMI_BACKEND_URL"]
    holder = recovery.holder_of_port(stack, settings, resources)
    text = (
        f"Stack {stack} is taken down: {holder} has port {settings.sentinel.port}, Sentinel's database keeps its "
        f"volume, and the history stays in {kept}."
    )
    return Result({"ok": True, "stack": stack}, text)


def refuse_another_host(stack: str, known: Known) -> None:
    """Raises UserError where the settings name another host than the stack is deployed on: it keeps its host.

    The engine would make every action anew in the new way and then take each back in the old one, the handover too, so
    that the port would end at the predecessor.
    """
    settings, deployed = known.settings, host.outputs_in(known.deployment).get("host")
    if deployed and deployed != settings.host.kind:
        raise UserError(
            f"Stack {stack} is deployed with host.kind {deployed} and cannot change it to {settings.host.kind} in "
            f"place: put it back (`pulumi config set host.kind {deployed}`), or take the stack down first "
            f"(`make down STACK={stack}`)."
        )


def previewed(
    opened: automation.Stack, stack: str, progress: Progress, configuration: Path | None = None
) -> dict[str, int]:
    """What `up` would change, shown and counted; `configuration` stands in for the stack's own file."""
    with as_user_error(f"pulumi preview of stack {stack}"):
        seen = opened.preview(
            on_output=progress.line,
            color=color(),
            suppress_progress=True,
            diff=False,
            config_file=str(configuration) if configuration else None,
        )
    return {str(getattr(kind, "value", kind)): count for kind, count in seen.change_summary.items()}


def ask(question: str) -> None:
    """Raises UserError when nobody can be asked, or when the answer is not yes; neither is a failure of a step."""
    if not sys.stdin.isatty():
        raise UserError(f"{question} Nobody can be asked here; say YES=1 to go on.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UserError("Nothing was changed.")


def _up_document(outputs: dict[str, Any], changes: dict[str, int], looked: Looked, ok: bool) -> dict[str, Any]:
    return {
        "ok": ok,
        "active": outputs.get("active"),
        "downtime_ms": looked.handover.get("downtime_ms"),
        "verify": looked.verified.document,
        "changes": changes,
        "outputs": outputs,
    }


def _up_text(stack: str, outputs: dict[str, Any], changes: dict[str, int], looked: Looked) -> str:
    handover = looked.handover
    again = "" if sandbox.of_stack(stack) else f" STACK={stack}"
    lines = [_all_in_words(changes)]
    if outputs.get("active"):
        lines.append(f"serving    {outputs['active']} owns the port")
    if outputs.get("sentinel"):
        lines.append(f"container  {outputs['sentinel']}")
    if "downtime_ms" in handover:
        lines.append(
            f"handover   {handover.get('from')} -> {handover.get('to')} at {handover.get('at')}, "
            f"nobody answered for {handover['downtime_ms']} ms{_parts_in_words(handover)}"
        )
    first, *others = looked.verified.text.splitlines()
    lines += [f"verified   {first}", *(f"{'':<9}  {row}" for row in others)]
    if outputs.get("rollback"):
        lines.append(f"rollback   {outputs['rollback']}")
    lines.append(f"next       make verify{again} · make status{again} · make history{again}")
    return "\n".join(lines)


def _parts_in_words(handover: Mapping[str, Any]) -> str:
    """` (release 12, connect 30, answer 21)`, in milliseconds."""
    parts: Mapping[str, int] = handover.get("parts") or {}
    told = ", ".join(f"{name.removesuffix('_ms')} {ms}" for name, ms in parts.items())
    return f" ({told})" if told else ""


def _all_in_words(changes: dict[str, int]) -> str:
    unchanged = changes.get("same", 0)
    if not any(count for kind, count in changes.items() if kind != "same"):
        return f"No changes; {unchanged} resources are as the program says."
    return f"{changes_in_words(changes)}; unchanged {unchanged}"
