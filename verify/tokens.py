"""The tokens that the serving gateway accepts and refuses, tried with the address of Claude's own entry.

After the cutover the token with which Claude reached ContextForge is accepted in its grace period and refused after it;
one that differs from it in a single letter, and so is any other one of ContextForge's, is refused always.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .claude import Entry
from .client import HttpEndpoint, refuses_token
from .names import Active

WRONG = "Bearer sentinel-cutover.is-no.token"
_WRONG, _THEIRS, _OTHER = "wrong", "the predecessor's", "another of the predecessor's"


async def tokens_of(claude: Entry, active: Active, grace: Mapping[str, float]) -> dict[str, Any]:
    """{"ok", "refused", "accepted", …}; `grace` is the end of each honoured token by its hash. Raises NoSession."""
    endpoint = claude.endpoint
    if not isinstance(endpoint, HttpEndpoint):
        return {"ok": True, "refused": [], "detail": "not checked: Claude's entry is stdio"}
    outcomes: dict[bool, list[str]] = {True: [], False: []}
    kept = {key: content for key, content in endpoint.headers.items() if key.lower() != "authorization"}
    for name, value in _tried(claude.before if active == "sentinel" else ()):
        expected = name == _THEIRS and grace.get(_hash(value), 0.0) > time.time()
        tried = HttpEndpoint(endpoint.url, {**kept, "Authorization": value}, endpoint.transport)
        accepted = not await refuses_token(tried)
        if accepted is not expected:
            detail = f"{name} token is {'accepted' if accepted else 'refused, in its grace period'}"
            return {"ok": False, "refused": list(dict.fromkeys(outcomes[False])), "detail": detail}
        outcomes[accepted].append(name)
    honoured = {"accepted": list(dict.fromkeys(outcomes[True]))} if outcomes[True] else {}
    return {"ok": True, "refused": list(dict.fromkeys(outcomes[False])), **honoured}


def _tried(before: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield _WRONG, WRONG
    for value in before:
        yield _THEIRS, value
        yield _OTHER, value[:-1] + ("B" if value.endswith("A") else "A")


def _hash(authorization: str) -> str:
    return hashlib.sha256(authorization.partition(" ")[2].strip().encode()).hexdigest()
