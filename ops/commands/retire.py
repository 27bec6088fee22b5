"""retire-contextforge: the predecessor leaves the host for good, and the stack says so.

The order, of which each step is safe to end in: what goes is listed; its last dump is kept; the operator says yes; the
stack gives up its rollback (`predecessor.kind: absent`) and verifies; the sidecars leave its networks, and every
backend is asked again; only then is anything removed. A run that was killed after the yes is finished by the next one.

Owns: that order, the refusals before it, the words. Deliberately does not: remove anything itself (`hostctl retire`
does), nor take networks along that nobody asked about.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pulumi import automation

from console.errors import UserError
from console.progress import Progress
from console.result import Result
from ops.commands import deploy, verify
from ops.engine import host, prerequisites, recovery, sandbox, stack_file
from ops.engine.run import LockHeld, open_stack
from settings import Settings
from settings.names import EDGE_NETWORK, INTERNAL_NETWORK

DUMP_SECONDS = 1800
REMOVE_SECONDS = 600
KINDS = ("containers", "networks", "volumes", "images", "files")

Document = Mapping[str, Any]


def retire(stack: str, progress: Progress, *, stale: bool, yes: bool) -> Result:
    """Exit status 0 only when ContextForge is gone and every backend answers without it."""
    prerequisites.make_ready(stack, progress)
    opened = open_stack(stack, progress, create=False)
    settings = verify.settings_of(opened, stack)
    seen = _ask_host(stack, settings, "inspect")
    begun, gone = bool(seen["begun"]), bool(seen["retired"])
    if gone or (settings.predecessor.kind == "absent" and not begun):
        return _after(stack, settings, seen, stale=stale, yes=yes)
    refused = _refused(opened, stack, settings, seen, begun=begun)
    if refused:
        document = {"ok": False, "refused": refused, "allowed_from": seen["allowed_from"] or None}
        return Result(document, "\n".join(f"refused    {one}" for one in refused), ok=False)
    if not begun:
        for line in listing(seen["inventory"], seen["notes"]):
            progress.line(line)
        kept = _ask_host(stack, settings, "dump", DUMP_SECONDS)
        progress.line(f"The last dump of its database is kept as {kept['dump']['path']}, read back whole.")
        if not (yes or sandbox.of_stack(stack)):
            deploy.ask(f"Remove ContextForge of stack {stack} for good? There is no rollback afterwards.")
        _ask_host(stack, settings, "begin")
    settings = _give_up_the_rollback(opened, stack, settings, progress, _loses_way_out(seen))
    _move_sidecars(stack, settings, progress)
    removed = _ask_host(stack, settings, "remove", REMOVE_SECONDS)
    return _after(stack, settings, _ask_host(stack, settings, "inspect"), stale=stale, yes=yes, removed=removed)


def document_of(settings: Settings) -> dict[str, Any]:
    """What `hostctl retire` is asked with, as far as the settings say it: all of it."""
    return {
        "folder": settings.host.folder,
        "home": settings.host.home,
        "project": settings.predecessor.project,
        "gateway": settings.predecessor.gateway,
        "keeps": sorted({backend.container for backend in settings.backends if backend.container}),
        "networks": [INTERNAL_NETWORK, EDGE_NETWORK],
        "port": settings.sentinel.port,
        "days": settings.predecessor.retire_days,
        "script": settings.nightly.script,
    }


def listing(inventory: Mapping[str, Sequence[Document]], notes: Sequence[str] = ()) -> list[str]:
    """What goes, each with its size, what stays, and what is the operator's to do."""
    lines = [
        f"{kind if not at else '':<11}{one.get('name') or one.get('path')}{_size(one)}"
        for kind in KINDS
        for at, one in enumerate(inventory[kind])
    ]
    lines += [f"{'moves':<11}{one['name']} off {', '.join(one['networks'])}" for one in inventory["sidecars"]]
    lines += [f"{'stays':<11}{one['name']}: {one['because']}" for one in inventory["kept"]]
    lines += [f"{'stale':<11}{one['name']}: no container is on it; STALE=1 removes it" for one in inventory["stale"]]
    return [*lines, *(f"{'note':<11}{one}" for one in notes)]


def _refused(opened: automation.Stack, stack: str, settings: Settings, seen: Document, *, begun: bool) -> list[str]:
    """Days and proof count until somebody has said yes; who has the port counts always."""
    active = verify.outputs_of(opened, stack).get("active")
    if active != "sentinel" or settings.active != "sentinel":
        return [f"{active or 'nobody'} has the port of stack {stack}: cut over first (`make up STACK={stack}`)"]
    return [] if begun else cast("list[str]", seen["refused"])


def _loses_way_out(seen: Document) -> bool:
    return any(not one["way_out"] for one in seen["inventory"]["sidecars"])


def _give_up_the_rollback(
    opened: automation.Stack, stack: str, settings: Settings, progress: Progress, sidecars_out: bool
) -> Settings:
    """The stack runs, and verifies, with no predecessor; nothing has been removed yet."""
    asked = {"predecessor.kind": "absent", **({"networks.sidecars_out": "true"} if sidecars_out else {})}
    previous = stack_file.file_of(stack).read_bytes()
    path = stack_file.with_scalars(stack, asked)
    stack_file.adopt(stack, path)
    try:
        known = verify.known_of(opened, stack)
        recovery.up(opened, stack, known, progress)
    except LockHeld:
        path.write_bytes(previous)
        stack_file.adopt(stack, path)
        raise
    except UserError as error:
        raise UserError(
            f"Nothing of ContextForge has been removed: the stack did not come up without it ({error}). Fix that and "
            f"run this again, or keep it: `pulumi config set predecessor.kind contextforge`, `make up STACK={stack}`."
        ) from None
    return known.settings


def _move_sidecars(stack: str, settings: Settings, progress: Progress) -> None:
    """Off ContextForge's networks, and on again when a backend does not answer then."""
    for line in _ask_host(stack, settings, "part")["left"]:
        progress.line(f"{line}: left")
    verified = verify.every_backend(stack, settings)
    if not verified.ok:
        _ask_host(stack, settings, "rejoin")
        raise UserError(
            "Nothing of ContextForge has been removed: without its network not every backend answers, so the sidecars "
            f"are on it again. Fix that, then run this again.\n{verified.text}"
        )


def _after(
    stack: str,
    settings: Settings,
    seen: Document,
    *,
    stale: bool,
    yes: bool,
    removed: Document | None = None,
) -> Result:
    """The end, also of a run that had nothing to do: stale networks, and one more look at every backend."""
    offered = [str(one["name"]) for one in seen["inventory"]["stale"]]
    taken: Document = {"removed": [], "kept": []}
    if offered and (stale or (not yes and sys.stdin.isatty() and _agreed(offered))):
        taken = _ask_host(stack, settings, "stale", names=offered)
    verified = verify.every_backend(stack, settings)
    inventory: Document = removed["inventory"] if removed else {kind: [] for kind in KINDS}
    document: Document = {
        "ok": verified.ok,
        "changed": removed is not None,
        "retired_at": seen["retired"] or None,
        "removed": {kind: [one.get("name") or one.get("path") for one in inventory[kind]] for kind in KINDS},
        "in_use": removed["left"] if removed else [],
        "stale": {"offered": offered, **taken},
        "verify": verified.document,
    }
    return Result(document, "\n".join(_text(stack, settings, document, verified, seen["notes"])), ok=verified.ok)


def _text(stack: str, settings: Settings, document: Document, verified: Result, notes: Iterable[str]) -> list[str]:
    counted = ", ".join(f"{len(names)} {kind}" for kind, names in document["removed"].items() if names)
    told = f"gone: {counted}" if document["changed"] else "nothing of ContextForge was left to remove"
    left = [name for name in document["stale"]["offered"] if name not in document["stale"]["removed"]]
    lines = [f"retired    {told}"]
    lines.append(f"kept       {settings.host.folder}/retired, on the host: the last dump, and the files that start it")
    lines += [f"in use     {one}" for one in document["in_use"]]
    lines += [f"stale      {name}: no container is on it; STALE=1 removes it" for name in left]
    lines += [f"note       {one}" for one in notes]
    lines += [f"{'verified' if not at else '':<9}  {row}" for at, row in enumerate(verified.text.splitlines())]
    return [*lines, f"next       make status STACK={stack}"]


def _agreed(offered: Sequence[str]) -> bool:
    print(
        f"Remove networks that no container is on ({', '.join(offered)})? [y/N] ", end="", file=sys.stderr, flush=True
    )
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _ask_host(
    stack: str, settings: Settings, word: str, limit_seconds: float = host.LIMIT_SECONDS, **more: Any
) -> dict[str, Any]:
    return host.run(stack, settings, "retire", word, {**document_of(settings), **more}, limit_seconds=limit_seconds)


def _size(one: Document) -> str:
    """Such as `  12.3 MB`; nothing of what has no size."""
    if "bytes" not in one:
        return ""
    size = float(one["bytes"])
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"  {size:.3g} {unit}"
        size /= 1000
    return f"  {size:.3g} GB"
