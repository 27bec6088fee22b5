"""`grace prepare | end | show | remove`: the time after a cutover in which the bridge honours the predecessor's token.

Owns: `predecessor.json` in a folder that the bridge has mounted: the hash of each token with which Claude reached the
predecessor, until when it is accepted, and the predecessor's names of the tools. It begins with the handover away from
the predecessor (`begin`) and not with a container: an upgrade, a rotation or a restart changes nothing in it.
Deliberately does not: keep a token, or need the bridge: it reads the file when a client shows an unknown token.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import Any

from hostctl import baseline, files
from hostctl.claude_client.recorded_client import present_client
from hostctl.core import atomic_file, folders, json_file
from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import whole
from hostctl.docker import shared_files
from hostctl.tokens import claims_unproven

FILE = "predecessor.json"
HOUR_SECONDS = 3600
_BEARER = "bearer "


@dataclass(frozen=True)
class GraceRequest:
    """The folder and the user who reads it in the container; the hours; Sentinel's issuer, whose tokens are none of the
    predecessor's; the folders of Claude's record and of the baseline."""

    folder: str
    user: int = -1
    hours: int = 0
    issuer: str = ""
    claude_folder: str = ""
    baseline_folder: str = ""
    docker_socket: str = ""


def prepare(request: GraceRequest) -> dict[str, Any]:
    """Make the folder, and give a grace period that has begun its present hours. {"path", "changed"}"""
    path = _path(request)
    try:
        if shared_files.given_away():
            folders.make_exactly(request.folder, 0o750, request.user, request.user)
        else:
            folders.make(request.folder, 0o700)
            shared_files.share(request.docker_socket, request.folder, 0o750, request.user, {})
    except OSError as error:
        raise Refusal(
            f"the folder {request.folder} cannot be made ({error.strerror}): fix that, then run again"
        ) from None
    known = _known(request)
    tokens = [_limited(token, known.get("began"), request.hours) for token in map(table, rows(known.get("tokens")))]
    return {"path": path, "changed": _write(request, {**known, "tokens": tokens, "names": _names(request)})}


def begin(request: GraceRequest) -> None:
    """Begin the hours with this handover away from the predecessor; raises Refusal and OSError, with nothing begun."""
    now = time.time()
    bearers = (value[len(_BEARER) :].strip() for value in _authorizations(request))
    tokens = [
        _limited({"sha256": hashlib.sha256(token.encode()).hexdigest(), "expires": _expires(token)}, now, request.hours)
        for token in dict.fromkeys(bearers)
        if token and claims_unproven(token).get("iss") != request.issuer
    ]
    _write(request, {"began": now, "tokens": tokens, "names": _names(request)})


def end(request: GraceRequest) -> dict[str, Any]:
    """End it now; the bridge refuses the token from its next request on. {"ended", "until"}"""
    known, now = _known(request), time.time()
    tokens = [table(token) for token in rows(known.get("tokens"))]
    open_until = [float(token["until"]) for token in tokens if token["until"] > now]
    if open_until:
        _write(request, {**known, "tokens": [{**t, "ended": now, "until": min(t["until"], now)} for t in tokens]})
    return {"ended": bool(open_until), "until": whole(max(open_until)) if open_until else ""}


def until(folder: str) -> dict[str, float]:
    """The end of each token's time by the token's SHA-256 hash, in seconds since 1970."""
    known = json_file.read(os.path.join(folder, FILE)) or {}
    return {str(token["sha256"]): float(token["until"]) for token in map(table, rows(known.get("tokens")))}


def remove(request: GraceRequest) -> dict[str, Any]:
    """Remove the file and its folder; raises Refusal while a container has it mounted."""
    return files.remove(files.RemoveRequest(request.folder, (files.Name(FILE),), docker_socket=request.docker_socket))


def _authorizations(request: GraceRequest) -> list[str]:
    values = present_client(request.claude_folder).authorizations if request.claude_folder else ()
    return [value for value in values if value.lower().startswith(_BEARER)]


def _names(request: GraceRequest) -> list[str]:
    known = (baseline.kept(request.baseline_folder) if request.baseline_folder else None) or {}
    return sorted(str(table(tool).get("name")) for tool in rows(known.get("tools")))


def _expires(token: str) -> float | None:
    expires = claims_unproven(token).get("exp")
    return float(expires) if isinstance(expires, (int, float)) else None


def _limited(token: dict[str, Any], began: Any, hours: int) -> dict[str, Any]:
    """The token with its end: the hours' or its own, whichever comes first; one that was ended stays so."""
    ends = [float(began or 0) + hours * HOUR_SECONDS, token.get("expires"), token.get("ended")]
    return {**token, "until": min(end for end in ends if end is not None)}


def _known(request: GraceRequest) -> dict[str, Any]:
    return json_file.read(_path(request)) or {}


def _write(request: GraceRequest, values: dict[str, Any]) -> bool:
    if values == _known(request):
        return False
    content = f"{json.dumps(values, indent=1)}\n".encode()
    if shared_files.given_away():
        atomic_file.write(_path(request), content, 0o400, request.user, request.user)
    else:
        # Its group is the folder's.
        atomic_file.write(_path(request), content, shared_files.mode_for(0o400))
    return True


def _path(request: GraceRequest) -> str:
    return os.path.join(request.folder, FILE)
