"""`python -m verify baseline`: the predecessor's tools and answers through Claude's entry, before anything changes.

Owns: the normal form. Deliberately does not: record while ContextForge is out of service; the host's own copy is then
used, so that a changed input of this resource cannot turn Sentinel's answers into the baseline. A rollback uses that
copy as well where Claude's entry is not ContextForge's yet, since the port goes first.
"""

from __future__ import annotations

import asyncio
import sys

from .claude import entry
from .client import NoSession, Session, all_timeouts, call_all, longest_timeout, with_session
from .documents import Baseline, BaselineRequest, BaselineResult, Tool
from .host import HostConnection, HostRefused
from .outcome import Outcome

READ_SECONDS = 30.0


class NoBaseline(Exception):
    """One sentence: why there is none, and how to get one."""


async def baseline(request: BaselineRequest) -> Baseline | None:
    """The baseline, recorded or kept; None where a rollback finds none, since it must not wait for one.

    Raises NoBaseline.
    """
    host = HostConnection(request.host)
    limit = request.limit_seconds + all_timeouts(request.probes)
    try:
        async with asyncio.timeout(limit):
            place = {"folder": request.folder, "gateway": request.gateway, "port": request.port}
            kept = await host.hostctl("baseline", "read", place, READ_SECONDS)
            if kept["predecessor_serves"]:
                try:
                    return await _recorded(host, request)
                except (HostRefused, NoBaseline):
                    if request.active != "contextforge" or kept["baseline"] is None:
                        raise
                    print("baseline: this rollback takes no new one; the kept one stays valid", file=sys.stderr)
                    return Baseline.model_validate(kept["baseline"])
    except HostRefused as refused:
        raise NoBaseline(f"the baseline cannot be taken: {refused}") from None
    except TimeoutError:
        raise NoBaseline(f"ContextForge gave no baseline within {limit:.0f} s") from None
    if kept["baseline"] is None and request.active == "contextforge":
        print("baseline: none was kept; this rollback continues without one", file=sys.stderr)
        return None
    if kept["baseline"] is None:
        raise NoBaseline(
            "ContextForge is out of service and no baseline was kept on the host: roll back (active contextforge) and "
            "run again, or set verification.baseline to false"
        )
    print("baseline: ContextForge is out of service; the one that was kept on the host stays valid", file=sys.stderr)
    return Baseline.model_validate(kept["baseline"])


async def _recorded(host: HostConnection, request: BaselineRequest) -> Baseline:
    async def work(session: Session) -> tuple[dict[str, str], list[Outcome]]:
        return dict(session.tools), await call_all(session, "contextforge", request.probes)

    async with entry(host, request.claude) as claude:
        try:
            tools, outcomes = await with_session(claude.endpoint, longest_timeout(request.probes), work)
        except NoSession as failed:
            raise NoBaseline(
                f"ContextForge gives no baseline through Claude's entry {claude.name} ({failed.result}: "
                f"{failed.detail}): fix that, or set verification.baseline to false"
            ) from None
    for line in _notes(request, outcomes):
        print(line, file=sys.stderr)
    return Baseline(
        entry=claude.name,
        transport=claude.transport,
        tools=tuple(Tool(name=name, schema_hash=hashed) for name, hashed in sorted(tools.items())),
        backends=tuple(BaselineResult(name=o.name, tool=o.tool, result=o.result, kind=o.kind) for o in outcomes),
    )


def _notes(request: BaselineRequest, outcomes: list[Outcome]) -> list[str]:
    """Notes for the operator: backends that are broken already, and those that are declared so and answer."""
    lines: list[str] = []
    for probe, outcome in zip(request.probes, outcomes, strict=True):
        if probe.allowed_failure and outcome.result == "ok":
            lines.append(f"baseline: {outcome.name} is declared allowed_failure and answers: remove allowed_failure")
        elif outcome.result != "ok":
            reason = f" ({probe.reason})" if probe.reason else ""
            lines.append(
                f"baseline: {outcome.name} is {outcome.result} at ContextForge already{reason}, so it may fail "
                f"afterwards too: {outcome.detail}"
            )
    return lines
