"""The copy of a local state and its stack file on the stack's host, sealed with the stack's passphrase.

Owns: the copied files: the checkpoint, the list of updates without their checkpoints, the stack's file. Where another
backend than a folder of this machine keeps the state, that backend is the copy, and none is made.
Deliberately does not: copy the passphrase; it stays with the operator. Or fail a run: a copy that cannot be kept is
reported.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from console.errors import UserError
from console.paths import WORK
from console.progress import Progress
from hostctl.core import atomic_file
from ops.engine import environment, host, sealed, stack_file
from ops.engine.run import PROJECT
from settings import Settings

_STACK_FILE = "stack.yaml"
"""The stack's file in a copy."""


def keep(stack: str, settings: Settings, progress: Progress, *, changed: bool) -> None:
    """Keep a copy after a run that `changed` a resource, or whose stack file is another one than the last copy's."""
    passphrase = environment.passphrase(stack)
    files = _files(stack)
    if not passphrase or not files:
        return
    digest = hashlib.sha256(files[_STACK_FILE]).hexdigest()
    noted = _noted(stack)
    if not changed and noted.exists() and noted.read_text(encoding="utf-8") == digest:
        return
    name = f"{stack}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sealed"
    content = base64.b64encode(sealed.seal(files, passphrase)).decode("ascii")
    try:
        host.run(stack, settings, "stack", "keep", {"folder": settings.host.folder, "name": name, "content": content})
    except UserError as error:
        progress.line(f"The state's copy on the host was not kept: {error}")
        return
    WORK.mkdir(parents=True, exist_ok=True)
    noted.write_text(digest, encoding="utf-8")


def forget(stack: str) -> None:
    """The host has no copy any more."""
    _noted(stack).unlink(missing_ok=True)


def fetched(stack: str, settings: Settings, name: str) -> dict[str, bytes]:
    """The files of the copy; raises UserError where it does not open with this clone's passphrase."""
    answer = host.run(stack, settings, "stack", "copy", {"folder": settings.host.folder, "name": name})
    return sealed.opened(base64.b64decode(answer["content"]), environment.passphrase(stack))


def restore(stack: str, files: Mapping[str, bytes]) -> list[str]:
    """Put the copy's files into the local backend and the stack's file; the lines on what was moved aside."""
    folder = _folder(stack)
    if folder is None:
        raise UserError(f"The state of stack {stack} is not in a folder of this machine: restore it in its backend.")
    for name, content in files.items():
        path = PurePosixPath(name)
        if name == _STACK_FILE or path.is_absolute() or ".." in path.parts or path.parts[0] != ".pulumi":
            continue
        target = folder / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_file.write(str(target), content, 0o600)
    own, copied = stack_file.file_of(stack), files.get(_STACK_FILE)
    if copied is None or (own.exists() and own.read_bytes() == copied):
        return []
    lines: list[str] = []
    if own.exists():
        aside = own.with_name(f"{own.name}.before-adopt")
        atomic_file.write(str(aside), own.read_bytes(), 0o600)
        lines.append(f"{own.name} differed from the copy's, which the stack runs with: it is kept as {aside.name}.")
    atomic_file.write(str(own), copied, None if own.exists() else 0o600)
    return lines


def to_keep(stack: str) -> list[str]:
    """The lines on what the operator must keep, and where."""
    place = environment.place_of_state(stack)
    file = environment.variables(stack, make=False).get("PULUMI_CONFIG_PASSPHRASE_FILE")
    passphrase = f"the passphrase in {file}" if file else "the passphrase"
    copies = "; the host keeps sealed copies of both" if _folder(stack) and environment.passphrase(stack) else ""
    return [
        f"keep       {passphrase}, off this machine and off the host: without it no secret and no copy opens",
        f"keep       the state in {place} and Pulumi.{stack}.yaml{copies}",
    ]


def _files(stack: str) -> dict[str, bytes]:
    """The files of a copy; none where the state is not in a folder of this machine."""
    folder = _folder(stack)
    if folder is None:
        return {}
    known = folder / ".pulumi"
    paths = [
        *known.glob("meta.yaml"),
        *known.glob(f"stacks/{PROJECT}/{stack}.json*"),
        *known.glob(f"history/{PROJECT}/{stack}/*.history.json*"),
    ]
    found = {str(path.relative_to(folder)): path.read_bytes() for path in paths if not path.name.endswith(".bak")}
    file = stack_file.file_of(stack)
    return {**found, _STACK_FILE: file.read_bytes()} if found and file.exists() else {}


def _folder(stack: str) -> Path | None:
    url = environment.variables(stack, make=False)["PULUMI_BACKEND_URL"]
    return Path(url.removeprefix("file://")) if url.startswith("file:///") else None


def _noted(stack: str) -> Path:
    return WORK / f"copied-{stack}"
