"""`stack claim`, `stack release` and `stack show`: the stack whose state this host belongs to.

Owns: `stack.json` in the product's folder, and beside it this program, which every other action runs. A state has an id
of its own, so that an empty state, or another clone's, is refused by the first action on the host.
Deliberately does not: judge a host without a record; a program before this one left none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hostctl.core import atomic_file, folders, json_file
from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import now
from hostctl.docker import containers
from hostctl.docker.containers import GATEWAY_ROLE, ROLE_LABEL
from hostctl.docker.engine import Engine
from hostctl.docker.users import is_ours, name_of
from hostctl.host import bytecode, invoker, machine
from hostctl.stack import copies

PROGRAM = "hostctl.pyz"
RECORD = "stack.json"
_FIX = "remove it; the next run with this host's state writes it again"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class FolderRequest:
    """The product's folder."""

    folder: str
    docker_socket: str = ""

    def __post_init__(self) -> None:
        if not os.path.isabs(self.folder):
            raise Refusal("'folder' is a relative path: give an absolute one")


@dataclass(frozen=True)
class StackRequest(FolderRequest):
    """The product's folder, the stack's name, and the id of its state; with `adopt` the state takes a host over."""

    stack: str = ""
    id: str = ""
    adopt: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (_NAME.fullmatch(self.stack) and self.id):
            raise Refusal("'stack' and 'id' must name the stack and its state: give both")


def claim(request: StackRequest) -> dict[str, Any]:
    """Install this program and record the stack; raises Refusal where containers of another state are on the host."""
    recorded = json_file.read(_record(request), _FIX) or {}
    others = bool(recorded) and recorded.get("id") != request.id
    if others and not request.adopt:
        _refuse_anothers_host(request, recorded)
    folders.make_exactly(request.folder, 0o755)
    atomic_file.write(os.path.join(request.folder, PROGRAM), bytecode.own_archive(), 0o755)
    if recorded.get("id") != request.id or recorded.get("machine") != machine.identity():
        recorded = {"since": now(), "by": invoker.identity()} if others or not recorded else recorded
        recorded = {**recorded, "stack": request.stack, "id": request.id, "machine": machine.identity()}
        json_file.write(_record(request), recorded, 0o644)
    return {name: recorded[name] for name in ("stack", "id", "machine")}


def release(request: StackRequest) -> dict[str, Any]:
    """Remove this program and the record; both stay where another state has claimed the host since."""
    recorded = json_file.read(_record(request), _FIX) or {}
    if recorded and recorded.get("id") != request.id:
        return {"released": False, "reason": f"the host belongs to another state of stack {recorded.get('stack')}"}
    json_file.remove(request.folder, RECORD, PROGRAM)
    return {"released": True, "reason": ""}


def show(request: FolderRequest) -> dict[str, Any]:
    """The host's record, its machine, the containers of ours, those of them that serve, and the state's copies."""
    ours = _ours(request)
    return {
        "record": json_file.read(_record(request)),
        "machine": machine.identity(),
        "containers": sorted(name_of(row) for row in ours),
        "serving": _serving(ours),
        "program": os.path.exists(os.path.join(request.folder, PROGRAM)),
        "copies": copies.listed(request.folder),
    }


def _refuse_anothers_host(request: StackRequest, recorded: dict[str, Any]) -> None:
    ours = _ours(request)
    if not ours:
        return
    serving = _serving(ours)
    what = f"{serving[0]} serves" if serving else f"{name_of(ours[0])} is"
    stack = str(recorded.get("stack"))
    fix = (
        f"take the host over by `make adopt STACK={stack}`, or copy that state here (.state/{stack} of the clone that "
        "made it)"
        if stack == request.stack
        else f"use STACK={stack}, or take that stack down first"
    )
    raise Refusal(
        f"{what} on this host, which belongs to another state of stack {stack} since {recorded.get('since')}; nothing "
        f"was changed: {fix}"
    )


def _ours(request: FolderRequest) -> list[dict[str, Any]]:
    return [row for row in containers.listed(Engine(request.docker_socket)) if is_ours(row)]


def _serving(ours: Sequence[dict[str, Any]]) -> list[str]:
    """The names of Sentinel's containers that publish a port now."""
    gateways = [row for row in ours if table(row.get("Labels")).get(ROLE_LABEL) == GATEWAY_ROLE]
    return sorted(name_of(row) for row in gateways if containers.published_in(row))


def _record(request: FolderRequest) -> str:
    return os.path.join(request.folder, RECORD)
