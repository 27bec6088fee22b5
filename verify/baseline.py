"""`python -m verify baseline`: what ContextForge answers, the way Claude reaches it, before anything changes.

Owns: the normal form. Deliberately does not: record while ContextForge is out of service; then the host's own copy is
the answer, so that a changed input of this resource cannot turn Sentinel's answers into the baseline.
"""

from __future__ import annotations

import asyncio
import sys

from .claude import entry
from .client import NoSession, Session, ask_all, longest_of, with_session
from .documents import AskedBaseline, Baseline, Seen, Tool
from .outcome import Outcome
from .reach import HostRefused, Reach

READ_SECONDS = 30.0


class NoBaseline(Exception):
    """One sentence: why there is none, and how to get one."""


async def baseline(asked: AskedBaseline) -> Baseline | None:
    """The baseline, recorded or kept; None where there is none on the rollback, which it may not hold up.

    Raises NoBaseline.
    """
    reach = Reach(asked.host)
    try:
        async with asyncio.timeout(asked.limit_seconds):
            place = {"folder": asked.folder, "gateway": asked.gateway, "port": asked.port}
            kept = await reach.hostctl("baseline", "read", place, READ_SECONDS)
            if kept["predecessor_serves"]:
                return await _recorded(reach, asked)
    except HostRefused as refused:
        raise NoBaseline(f"the baseline cannot be taken: {refused}") from None
    except TimeoutError:
        raise NoBaseline(f"ContextForge gave no baseline within {asked.limit_seconds:.0f} s") from None
    if kept["baseline"] is None and asked.active == "contextforge":
        print("baseline: none was kept, and this is the rollback, which it may not hold up", file=sys.stderr)
        return None
    if kept["baseline"] is None:
        raise NoBaseline(
            "ContextForge is out of service and no baseline was kept on the host: give it the port back (active "
            "contextforge) and run again, or set verification.baseline to false"
        )
    print("baseline: ContextForge is out of service; the one that was kept on the host stands", file=sys.stderr)
    return Baseline.model_validate(kept["baseline"])


async def _recorded(reach: Reach, asked: AskedBaseline) -> Baseline:
    async def work(session: Session) -> tuple[dict[str, str], list[Outcome]]:
        return dict(session.tools), await ask_all(session, "contextforge", asked.questions)

    async with entry(reach, asked.claude) as found:
        try:
            tools, outcomes = await with_session(found.way, longest_of(asked.questions), work)
        except NoSession as failed:
            raise NoBaseline(
                f"ContextForge gives no baseline through Claude's entry {found.name} ({failed.result}: "
                f"{failed.detail}): fix that, or set verification.baseline to false"
            ) from None
    for line in _told(asked, outcomes):
        print(line, file=sys.stderr)
    return Baseline(
        entry=found.name,
        transport=found.transport,
        tools=tuple(Tool(name=name, schema_hash=hashed) for name, hashed in sorted(tools.items())),
        backends=tuple(Seen(name=o.name, tool=o.tool, result=o.result, kind=o.kind) for o in outcomes),
    )


def _told(asked: AskedBaseline, outcomes: list[Outcome]) -> list[str]:
    """What an operator should know before the cutover: what is broken already, and what is not though declared so."""
    lines: list[str] = []
    for question, outcome in zip(asked.questions, outcomes, strict=True):
        if question.allowed_failure and outcome.result == "ok":
            lines.append(f"baseline: {outcome.name} is declared allowed_failure and answers: take allowed_failure away")
        elif outcome.result != "ok":
            told = f" ({question.reason})" if question.reason else ""
            lines.append(
                f"baseline: {outcome.name} is {outcome.result} at ContextForge already{told}, so it need not be better "
                f"afterwards: {outcome.detail}"
            )
    return lines
