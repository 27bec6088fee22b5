"""`make retire-contextforge`: the predecessor leaves the host for good, and the stack says so.

The order, in which a run may safely end after each step: list everything that goes; keep a last dump; get the
operator's yes; give up the rollback (`predecessor.kind: absent`) and verify; take the sidecars off its networks and
verify again; only then remove anything. A run that was killed after the yes is finished by the next one.

Owns: that order and the refusals before it. Deliberately does not: remove anything (`hostctl retire` does), or any
network that nobody named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pulumi import automation

from console.errors import UserError
from console.progress import Progress
from console.question import agreed, require_yes
from console.result import Result
from ops.engine import host, prerequisites, recovery, sandbox, stack_file, state, verification
from ops.engine.run import LockHeld, open_stack
from settings import Settings
from settings.names import EDGE_NETWORK, INTERNAL_NETWORK

DUMP_SECONDS = 1800
REMOVE_SECONDS = 600
KINDS = ("containers", "networks", "volumes", "images", "files")

Document = Mapping[str, Any]


def retire_contextforge(stack: str, progress: Progress, *, stale: bool, yes: bool) -> Result:
    """Exit status 0 only when ContextForge is gone and every backend answers without it."""
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress, create=False)
    settings = state.settings_of(opened, stack)
    inspected = _run_on_host(stack, settings, "inspect")
    begun, gone = bool(inspected["begun"]), bool(inspected["retired"])
    if gone or (settings.predecessor.kind == "absent" and not begun):
        return _after(stack, settings, inspected, stale=stale, yes=yes)
    reasons = _refused(opened, stack, settings, inspected, begun=begun)
    if reasons:
        document = {"ok": False, "refused": reasons, "allowed_from": inspected["allowed_from"] or None}
        return Result(document, "\n".join(f"refused    {reason}" for reason in reasons), ok=False)
    if not begun:
        for line in listing(inspected["inventory"], inspected["notes"]):
            progress.line(line)
        dumped = _run_on_host(stack, settings, "dump", DUMP_SECONDS)
        progress.line(f"The last dump of its database is kept as {dumped['dump']['path']}, read back whole.")
        if not (yes or sandbox.of_stack(stack)):
            require_yes(f"Remove ContextForge of stack {stack} for good? There is no rollback afterwards.")
        _run_on_host(stack, settings, "begin")
    loses_egress = any(not sidecar["egress"] for sidecar in inspected["inventory"]["sidecars"])
    settings = _give_up_the_rollback(opened, stack, settings, progress, loses_egress)
    _move_sidecars(stack, settings, progress)
    removed = _run_on_host(stack, settings, "remove", REMOVE_SECONDS)
    return _after(stack, settings, _run_on_host(stack, settings, "inspect"), stale=stale, yes=yes, removed=removed)


def document_of(settings: Settings) -> dict[str, Any]:
    """The request of `hostctl retire`; the settings say all of it."""
    return {
        "folder": settings.host.folder,
        "home": settings.host.home,
        "project": settings.predecessor.project,
        "gateway": settings.predecessor.gateway,
        "keeps": sorted({backend.container for backend in settings.backends if backend.container}),
        "networks": [INTERNAL_NETWORK, EDGE_NETWORK],
        "port": settings.sentinel.port,
        "days": settings.predecessor.retire_days,
        "script": settings.nightly.script or "",
    }


def listing(inventory: Mapping[str, Sequence[Document]], notes: Sequence[str] = ()) -> list[str]:
    """Everything that goes, with its size, everything that stays, and the operator's own tasks."""
    lines = [
        f"{kind if not at else '':<11}{item.get('name') or item.get('path')}{_size(item)}"
        for kind in KINDS
        for at, item in enumerate(inventory[kind])
    ]
    lines += [f"{'moves':<11}{item['name']} off {', '.join(item['networks'])}" for item in inventory["sidecars"]]
    lines += [f"{'stays':<11}{item['name']}: {item['because']}" for item in inventory["kept"]]
    lines += [f"{'stale':<11}{item['name']}: no container is on it; STALE=1 removes it" for item in inventory["stale"]]
    return [*lines, *(f"{'note':<11}{item}" for item in notes)]


def _refused(
    opened: automation.Stack, stack: str, settings: Settings, inspected: Document, *, begun: bool
) -> list[str]:
    """Reasons to refuse: days and proof until the yes has been given, the port's owner always."""
    active = state.outputs_of(opened, stack).get("active")
    if active != "sentinel" or settings.active != "sentinel":
        return [f"{active or 'nobody'} has the port of stack {stack}: cut over first (`make up STACK={stack}`)"]
    return [] if begun else cast("list[str]", inspected["refused"])


def _give_up_the_rollback(
    opened: automation.Stack, stack: str, settings: Settings, progress: Progress, sidecars_out: bool
) -> Settings:
    """The stack runs, and verifies, with no predecessor; nothing has been removed yet."""
    changed = {"predecessor.kind": "absent", **({"networks.sidecars_out": "true"} if sidecars_out else {})}
    previous = stack_file.file_of(stack).read_bytes()
    path = stack_file.with_scalars(stack, changed)
    stack_file.adopt(stack, path)
    try:
        snapshot = state.snapshot_of(opened, stack)
        recovery.up(opened, stack, snapshot, progress)
    except LockHeld:
        path.write_bytes(previous)
        stack_file.adopt(stack, path)
        raise
    except UserError as error:
        raise UserError(
            f"Nothing of ContextForge has been removed: the stack did not come up without it ({error}). Fix that and "
            f"run this again, or keep it: `pulumi config set predecessor.kind contextforge`, `make up STACK={stack}`."
        ) from None
    return snapshot.settings


def _move_sidecars(stack: str, settings: Settings, progress: Progress) -> None:
    """Take the sidecars off ContextForge's networks; put them on again when a backend does not answer then."""
    for line in _run_on_host(stack, settings, "part")["left"]:
        progress.line(f"{line}: left")
    verified = verification.verify_backends(stack, settings)
    if not verified.ok:
        _run_on_host(stack, settings, "rejoin")
        raise UserError(
            "Nothing of ContextForge has been removed: without its network not every backend answers, so the sidecars "
            f"are on it again. Fix that, then run this again.\n{verified.text}"
        )


def _after(
    stack: str,
    settings: Settings,
    inspected: Document,
    *,
    stale: bool,
    yes: bool,
    removed: Document | None = None,
) -> Result:
    """The end, also of a run that had nothing to do: stale networks, and one more verification."""
    offered = [str(item["name"]) for item in inspected["inventory"]["stale"]]
    taken: Document = {"removed": [], "kept": []}
    if offered and (stale or (not yes and agreed(f"Remove networks without any container ({', '.join(offered)})?"))):
        taken = _run_on_host(stack, settings, "stale", names=offered)
    verified = verification.verify_backends(stack, settings)
    inventory: Document = removed["inventory"] if removed else {kind: [] for kind in KINDS}
    document: Document = {
        "ok": verified.ok,
        "changed": removed is not None,
        "retired_at": inspected["retired"] or None,
        "removed": {kind: [item.get("name") or item.get("path") for item in inventory[kind]] for kind in KINDS},
        "in_use": removed["left"] if removed else [],
        "stale": {"offered": offered, **taken},
        "verify": verified.document,
    }
    return Result(document, "\n".join(_text(stack, settings, document, verified, inspected["notes"])), ok=verified.ok)


def _text(stack: str, settings: Settings, document: Document, verified: Result, notes: Iterable[str]) -> list[str]:
    counted = ", ".join(f"{len(names)} {kind}" for kind, names in document["removed"].items() if names)
    removed = f"gone: {counted}" if document["changed"] else "nothing of ContextForge was left to remove"
    left = [name for name in document["stale"]["offered"] if name not in document["stale"]["removed"]]
    lines = [f"retired    {removed}"]
    lines.append(f"kept       {settings.host.folder}/retired, on the host: the last dump, and the files that start it")
    lines += [f"in use     {item}" for item in document["in_use"]]
    lines += [f"stale      {name}: no container is on it; STALE=1 removes it" for name in left]
    lines += [f"note       {item}" for item in notes]
    return [*lines, *verification.lines(verified), f"next       make status STACK={stack}"]


def _run_on_host(
    stack: str, settings: Settings, action: str, limit_seconds: float = host.LIMIT_SECONDS, **members: Any
) -> dict[str, Any]:
    document = {**document_of(settings), **members}
    return host.run(stack, settings, "retire", action, document, limit_seconds=limit_seconds)


def _size(item: Document) -> str:
    """Such as `  12.3 MB`; empty for an item without a size."""
    if "bytes" not in item:
        return ""
    size = float(item["bytes"])
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"  {size:.3g} {unit}"
        size /= 1000
    return f"  {size:.3g} GB"
