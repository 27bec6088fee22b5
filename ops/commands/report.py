"""`make report`: one page of evidence of the last cutover, as HTML and as plain text, into `reports/`.

Its short form goes to Discord, after a question or with SEND=1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from console import question
from console.errors import UserError
from console.paths import REPORTS
from console.progress import Progress
from console.result import Result
from hostctl.core import atomic_file
from ops.engine import host
from ops.report import claims, evidence, page, plain
from settings import Settings

SEND_SECONDS = 30.0


def report(stack: str, progress: Progress, *, send: bool, yes: bool) -> Result:
    """Write the page and its twin; ok when both are written and no claim is disproved.

    A claim that could not be checked is reported and fails nothing. Raises UserError for a stack without a handover.
    """
    gathered = evidence.gathered(stack, progress)
    page_report = claims.Report.of(gathered.facts)
    files = _written(stack, page_report)
    progress.line(f"The report of stack {stack}: {files['html']}")
    posted = _posted(stack, gathered.settings, page_report, send=send, may_ask=not yes)
    document = {
        "ok": page_report.failed == 0,
        "number": page_report.number,
        "headline": page_report.headline,
        **{verdict.replace(" ", "_"): names for verdict, names in page_report.by_verdict().items()},
        "files": {kind: str(path) for kind, path in files.items()},
        "posted": posted,
        "parts": [asdict(part) for part in page_report.parts],
        "evidence": gathered.facts,
    }
    text = "\n".join(
        [plain.short(page_report), f"page     {files['html']}", f"text     {files['text']}", f"discord  {posted}"]
    )
    return Result(document, text, ok=page_report.failed == 0)


def post(stack: str, settings: Settings, webhook: SecretStr, message: str) -> str:
    """One message from the stack's host: `posted`, or why not."""
    request = {"webhook": webhook.get_secret_value(), "content": message, "limit_seconds": SEND_SECONDS}
    try:
        answer: Mapping[str, Any] = host.run(stack, settings, "discord", "post", request)
    except UserError as error:
        return f"not posted: {error}"
    return "posted" if answer["posted"] else f"not posted: {answer['reason']}"


def _written(stack: str, report: claims.Report) -> Mapping[str, Path]:
    """The files of this cutover; a second report of the same one replaces the first."""
    REPORTS.mkdir(mode=0o750, exist_ok=True)
    name = f"{stack}-{report.number:04d}-{report.at[:10]}"
    files = {"html": REPORTS / f"{name}.html", "text": REPORTS / f"{name}.txt"}
    for kind, content in (("html", page.html(report)), ("text", plain.text(report))):
        atomic_file.write(str(files[kind]), content.encode())
    return files


def _posted(stack: str, settings: Settings, report: claims.Report, *, send: bool, may_ask: bool) -> str:
    """One sentence on the short form: posted or why not; nothing is posted without SEND=1 or a yes."""
    webhook = settings.discord_webhook
    if webhook is None:
        return "not posted: no discord_webhook is set"
    if not send and not (may_ask and question.agreed("Post the short form to Discord?")):
        return "not posted: SEND=1 posts the short form"
    return post(stack, settings, webhook, plain.short(report))
