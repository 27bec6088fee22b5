"""`make report`: one page of evidence of the last cutover, as HTML and as plain text.

Owns: the command: where the two files go, and its short form to Discord, after a question or with SEND=1.
Deliberately does not: change anything of the host or the stack. Parts, each in a file of its own: what is read
(`evidence`), what it proves (`claims`), the downtime's picture (`window`, `drawing`), the words (`page`, `plain`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from console.errors import UserError
from console.paths import REPORTS
from console.progress import Progress
from console.result import Result
from ops.engine import host
from ops.report import claims, evidence, page, plain
from settings import Settings

__all__ = ["post", "report"]

SEND_SECONDS = 30.0


def report(stack: str, progress: Progress, *, send: bool, yes: bool) -> Result:
    """Writes the page and its twin; ok when both are written and nothing that was looked at is disproved.

    What could not be looked at is told and fails nothing. Raises UserError for a stack without a handover.
    """
    found = evidence.gathered(stack, progress)
    told = claims.Report.of(found.facts)
    files = _written(stack, told)
    progress.line(f"The report of stack {stack}: {files['html']}")
    posted = _posted(stack, found.settings, told, send=send, may_ask=not yes)
    document = {
        "ok": told.failed == 0,
        "number": told.number,
        "headline": told.headline,
        **{word.replace(" ", "_"): names for word, names in told.by_verdict().items()},
        "files": {kind: str(path) for kind, path in files.items()},
        "posted": posted,
        "parts": [asdict(part) for part in told.parts],
        "evidence": found.facts,
    }
    text = "\n".join(
        [plain.short(told), f"page     {files['html']}", f"text     {files['text']}", f"discord  {posted}"]
    )
    return Result(document, text, ok=told.failed == 0)


def _written(stack: str, told: claims.Report) -> Mapping[str, Path]:
    """The files of this cutover; a second report of the same one replaces the first."""
    REPORTS.mkdir(mode=0o750, exist_ok=True)
    name = f"{stack}-{told.number:04d}-{told.at[:10]}"
    files = {"html": REPORTS / f"{name}.html", "text": REPORTS / f"{name}.txt"}
    for kind, content in (("html", page.html(told)), ("text", plain.text(told))):
        beside = files[kind].with_suffix(".new")
        beside.write_text(content, encoding="utf-8")
        beside.replace(files[kind])
    return files


def _posted(stack: str, settings: Settings, told: claims.Report, *, send: bool, may_ask: bool) -> str:
    """In words what became of the short form; nobody is told anything who was not asked for."""
    webhook = settings.discord_webhook
    if webhook is None:
        return "not posted: no discord_webhook is set"
    if not send and not (may_ask and sys.stdin.isatty() and _yes("Post the short form to Discord?")):
        return "not posted: SEND=1 posts the short form"
    return post(stack, settings, webhook, plain.short(told))


def post(stack: str, settings: Settings, webhook: SecretStr, words: str) -> str:
    """One message from the stack's host: `posted`, or why not."""
    document = {"webhook": webhook.get_secret_value(), "content": words, "limit_seconds": SEND_SECONDS}
    try:
        answer: Mapping[str, Any] = host.run(stack, settings, "discord", "post", document)
    except UserError as error:
        return f"not posted: {error}"
    return "posted" if answer["posted"] else f"not posted: {answer['reason']}"


def _yes(question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
