"""The calls under way at the gateway that is about to be withdrawn: they may end before the window.

Sentinel's bridge says itself when no call is under way, and answers what is cut off with an error that says so. Of
ContextForge only its connections are known: one on which the client sent last waits for an answer.

Owns: the wait, within a limit. Deliberately does not: fail a handover; a gateway that cannot be drained is withdrawn.
"""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from hostctl.core import http_json
from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.core.http_json import NoAnswer
from hostctl.docker import containers
from hostctl.handover.context import Context
from hostctl.handover.goal import Goal
from hostctl.host.port_holder import CONTEXTFORGE, SENTINEL
from hostctl.mcp.client import bearer, token_in

PATH = "/drain"
LAST_SECONDS = 0.5
"""For calls that began during the drain, while new connections are held back."""
_ANSWER_SECONDS = 2.0
_POLL_SECONDS = 0.02
_LAST_SENT, _LAST_RECEIVED = re.compile(r"\blastsnd:(\d+)"), re.compile(r"\blastrcv:(\d+)")


@dataclass(frozen=True)
class Drained:
    """`idle`: no call was under way at the end; `cut_off` were answered with an error. None: not known."""

    idle: bool | None = None
    cut_off: int | None = None


def wait(context: Context, origin: Goal) -> Drained:
    """Wait until no call is under way, for the drain's limit at most; new ones are served meanwhile."""
    return _drained(context, origin, context.request.limits.calls_seconds, close=False)


def close(context: Context, origin: Goal) -> Drained:
    """The last wait: what is under way after it is cut off, and the bridge closes its connections."""
    seconds = min(LAST_SECONDS, context.request.limits.calls_seconds)
    return _drained(context, origin, seconds, close=True)


def _drained(context: Context, origin: Goal, seconds: float, *, close: bool) -> Drained:
    if origin.kind == SENTINEL:
        return _by_the_bridge(context, origin, seconds, close)
    if origin.kind == CONTEXTFORGE:
        return _by_connections(context.request.port, seconds)
    return Drained()


def _by_the_bridge(context: Context, origin: Goal, seconds: float, close: bool) -> Drained:
    request = context.request
    holder = containers.find(context.engine, origin.container, {})
    address = holder.address_on(request.internal) if holder is not None and holder.running else ""
    if holder is None or not address:
        return Drained()
    url = f"http://{address}:{holder.inside_port(request.port)}{PATH}"
    try:
        headers = {"Host": f"127.0.0.1:{request.port}", **bearer(token_in(request.probe.token_file))}
        document = {"seconds": seconds, "close": close}
        answer = http_json.exchange("POST", url, document, headers, seconds=seconds + _ANSWER_SECONDS)
    except (NoAnswer, Refusal):
        return Drained()
    known: dict[str, Any] = table(answer.body) if answer.ok else {}
    return Drained(known.get("idle"), known.get("cut_off"))


def _by_connections(port: int, seconds: float) -> Drained:
    end = time.monotonic() + seconds
    while True:
        waiting = _waiting(port)
        if not waiting or time.monotonic() >= end:
            return Drained(None if waiting is None else not waiting)
        time.sleep(_POLL_SECONDS)


def _waiting(port: int) -> int | None:
    """The clients' connections to the port that wait for an answer; None where this host does not show it."""
    command = ["ss", "-tinOH", "state", "established", "dst", f"127.0.0.1:{port}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else sum(map(_is_waiting, done.stdout.splitlines()))


def _is_waiting(line: str) -> bool:
    """True where the client has sent and nothing came back since; on a new connection both times begin with it."""
    if "bytes_sent:" not in line:
        return False
    # `ss` leaves out what is 0.
    sent, received = (
        int(found[1]) if (found := time_in.search(line)) else 0 for time_in in (_LAST_SENT, _LAST_RECEIVED)
    )
    return "bytes_received:" not in line or sent < received
