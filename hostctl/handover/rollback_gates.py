"""The gates of a rollback: the predecessor in standby, called as a client will call it after the handover.

Owns: three kinds of gate at its internal address: `/health`, the tools of the baseline, and the baseline's good calls,
with the header of its own recorded entry.
Deliberately does not: start or publish a container. A call that needs egress is no gate, since a container in standby
has none.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from hostctl import baseline
from hostctl.claude_client.recorded_client import RecordedClient, recorded_client
from hostctl.core import http_json
from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.core.http_json import NoAnswer
from hostctl.handover.request import RollbackGates
from hostctl.mcp import call_tools
from hostctl.mcp.client import CallFailed, Session
from hostctl.mcp.probe import Probe

_NO_ANSWER = "no answer"
HEALTH, TOOLS = "health", "tools"
NAMED_TOOLS = 5


@dataclass(frozen=True)
class Place:
    """The address at which the host reaches the predecessor, and the health path and port that its clients know."""

    address: str
    inside_port: int
    port: int
    health_path: str = "/health"

    def url(self, path: str) -> str:
        return f"http://{self.address}:{self.inside_port}{path}"


@dataclass(frozen=True)
class Gate:
    """One gate's result; `reason` is empty where it passed."""

    name: str
    reason: str = ""


def results(place: Place, gates: RollbackGates) -> list[Gate]:
    """Every gate's result; after a failed `/health` or list of tools there is no further one."""
    found: list[Gate] = []
    for gate in _in_order(place, gates):
        found.append(gate)
        if gate.reason and gate.name in (HEALTH, TOOLS):
            break
    return found


class Hangs(Refusal):
    """A gate that failed without any answer."""


def require(place: Place, gates: RollbackGates) -> None:
    """Raise Refusal that names every gate that failed, and the two choices; Hangs where one had no answer."""
    reasons = [f"{gate.name}: {gate.reason}" for gate in results(place, gates) if gate.reason]
    failed = "; ".join(reasons)
    if failed:
        raise (Hangs if any(_NO_ANSWER in reason for reason in reasons) else Refusal)(
            f"ContextForge in standby fails its gates ({failed}): fix that and run again, or roll back all the same "
            "with FORCE=1"
        )


def _in_order(place: Place, gates: RollbackGates) -> Iterator[Gate]:
    yield Gate(HEALTH, _health(place, gates.seconds))
    known = baseline.kept(gates.baseline_folder) if gates.baseline_folder else None
    client = recorded_client(gates.claude_folder) if gates.claude_folder else RecordedClient()
    try:
        session = _session(place, client, gates.seconds)
    except CallFailed as error:
        yield Gate(TOOLS, str(error))
        return
    try:
        yield Gate(TOOLS, _missing_tools(session, known or {}, gates.seconds))
        probes = _probes(known or {}, gates.probes)
        for name, reason in call_tools.in_session(session, probes).items():
            yield Gate(name, reason)
    finally:
        session.close()


def _health(place: Place, seconds: float) -> str:
    try:
        answer = http_json.exchange("GET", place.url(place.health_path), None, _host(place), seconds=seconds)
    except NoAnswer as error:
        return f"no answer ({error.reason})"
    return "" if answer.status == http.client.OK else f"HTTP {answer.status}"


def _session(place: Place, client: RecordedClient, seconds: float) -> Session:
    """A session with the first recorded header that the predecessor takes; raises CallFailed."""
    url, failure = place.url(urlsplit(client.url).path or "/mcp"), CallFailed("no header is recorded")
    for header in client.authorizations or ("",):
        headers = {**_host(place), **({"Authorization": header} if header else {})}
        try:
            return Session.open(url, headers, seconds)
        except CallFailed as error:
            failure = error
    raise failure


def _missing_tools(session: Session, known: Mapping[str, Any], seconds: float) -> str:
    try:
        listed = {str(tool.get("name")) for tool in session.tools(seconds)}
    except CallFailed as error:
        return str(error)
    missing = sorted({str(table(tool).get("name")) for tool in rows(known.get("tools"))} - listed)
    if missing:
        more = f" and {len(missing) - NAMED_TOOLS} more" if len(missing) > NAMED_TOOLS else ""
        return f"{', '.join(missing[:NAMED_TOOLS])}{more} of the baseline is not listed"
    return "" if listed else "no tool is listed"


def _probes(known: Mapping[str, Any], probes: Sequence[Probe]) -> list[Probe]:
    """The baseline's good calls under the predecessor's own names."""
    good = {row["name"]: row["tool"] for row in map(table, rows(known.get("backends"))) if row.get("result") == "ok"}
    return [
        replace(probe, tool=str(good[probe.name]))
        for probe in probes
        if probe.name in good and not probe.needs_internet and not probe.why_allowed()
    ]


def _host(place: Place) -> dict[str, str]:
    return {"Host": f"127.0.0.1:{place.port}"}
