"""One harmless call to each backend through the port, side by side in one session.

Schemas and JSON paths are checked by `verify`, which has the official SDK and runs elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from hostctl.core.documents import rows, table
from hostctl.mcp.client import CallFailed, Session
from hostctl.mcp.probe import Probe

OPEN_SECONDS = 10.0
CALLS_AT_ONCE = 8
_LONGEST = 120


def call_all(url: str, headers: Mapping[str, str], probes: Sequence[Probe]) -> dict[str, str]:
    """The fault of each probe's answer by its name, empty when it is good; a gateway's fault never raises."""
    try:
        session = Session.open(url, headers, OPEN_SECONDS)
    except CallFailed as error:
        return {probe.name: str(error) for probe in probes}
    try:
        return in_session(session, probes)
    finally:
        session.close()


def in_session(session: Session, probes: Sequence[Probe]) -> dict[str, str]:
    """The same in a session that is open."""
    with ThreadPoolExecutor(max_workers=CALLS_AT_ONCE) as pool:
        return dict(zip([probe.name for probe in probes], pool.map(partial(_verdict, session), probes)))


def _verdict(session: Session, probe: Probe) -> str:
    """The fault of the answer to this probe, empty when it is good."""
    try:
        answer = session.call(probe.tool, probe.arguments, probe.timeout_seconds)
    except CallFailed as error:
        return str(error)
    if "result" not in answer:
        return _short(str(table(answer.get("error")).get("message") or "no result"))
    result = table(answer["result"])
    text = "\n".join(str(table(part).get("text", "")) for part in rows(result.get("content")))
    if result.get("isError"):
        return _short(text) or "an error without a message"
    missing = [part for part in probe.expect.contains if part not in text]
    unwanted = [part for part in probe.expect.excludes if part in text]
    if missing or unwanted:
        return f"{(missing or unwanted)[0]!r} is {'not ' if missing else ''}in the answer"
    return ""


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
