"""The report as plain text: the page's twin, within 100 columns, and its short form, within one message of Discord."""

from __future__ import annotations

import textwrap

from console.table import columns
from hostctl.discord import MOST_CHARACTERS
from ops.report.claims import Part, Report
from ops.report.tables import Cell, Table, moment
from ops.report.window import Window

WIDTH = 100
PICTURE_COLUMNS = 72
_SIGNS = {"proven": "[proven]", "disproved": "[DISPROVED]", "not checked": "[not checked]", "": ""}


def text(report: Report) -> str:
    """The whole twin."""
    title = f"{report.title}: stack {report.stack}, update {report.number or 'unknown'}, {moment(report.at)}"
    claims = [f"  {_SIGNS[part.verdict]:<14} {part.title}" for part in report.parts if part.verdict]
    lines = [title, "=" * len(title), "", report.headline, *claims]
    for part in report.parts:
        lines += ["", "", *_part(part)]
    return "\n".join([*lines, "", f"Made {moment(report.made_at)} by make report. Secrets are left out.", ""])


def short(report: Report) -> str:
    """The message for a channel: the headline, and every claim that is not proven, by name."""
    lines = [f"{report.title}, stack {report.stack}, {moment(report.at)}: {report.headline}"]
    for part in report.parts:
        if part.verdict in ("disproved", "not checked"):
            lines.append(f"{_SIGNS[part.verdict]} {part.title}: {part.sentence}")
        elif part.name in ("port", "downtime", "backends"):
            lines.append(f"{_SIGNS[part.verdict]} {part.title}")
    message = "\n".join(lines)
    return message if len(message) <= MOST_CHARACTERS else f"{message[: MOST_CHARACTERS - 1]}…"


def _part(part: Part) -> list[str]:
    head = f"{part.title}  {_SIGNS[part.verdict]}".rstrip()
    width = max((len(name) for name, _ in part.facts), default=0)
    facts = [
        line
        for name, value in part.facts
        if value
        for line in textwrap.wrap(
            value, WIDTH, initial_indent=f"  {name:<{width}}  ", subsequent_indent=" " * (width + 4)
        )
    ]
    picture = _picture(part.window) if part.window else []
    tables = [line for table in part.tables for line in ["", table.title, *_table(table)]]
    return [head, "-" * len(head), *textwrap.wrap(part.sentence, WIDTH), *picture, *facts, *tables]


def _table(table: Table) -> list[str]:
    cells = [[_one_line(cell) for cell in row] for row in table.rows]
    return [f"  {line}" for line in columns([table.heads, *cells])]


def _one_line(cell: Cell) -> str:
    return f"{cell.text} ({cell.note})" if cell.note and cell.text else cell.text or cell.note


def _picture(window: Window) -> list[str]:
    """One sign a slice of time: `#` answered, `.` not answered, blank without an attempt."""
    begin, end = window.span
    step = (end - begin) / PICTURE_COLUMNS
    signs = [" "] * PICTURE_COLUMNS
    for good in (True, False):
        for attempt in window.attempts:
            if attempt.good is good:
                last = min(PICTURE_COLUMNS - 1, int((attempt.ended - begin) / step))
                for at in range(min(PICTURE_COLUMNS - 1, int((attempt.began - begin) / step)), last + 1):
                    signs[at] = "#" if good else "."
    zero = min(PICTURE_COLUMNS - 1, int(-begin / step))
    over = min(PICTURE_COLUMNS - 1, int((window.seen - begin) / step))
    mark = [" "] * PICTURE_COLUMNS
    mark[zero:over] = "-" * (over - zero)
    mark[zero] = mark[over] = "|"
    axis = f"{f'{begin} ms':<{PICTURE_COLUMNS // 2}}{f'{end} ms':>{PICTURE_COLUMNS // 2}}"
    legend = f"  |---| from 0 ms, when the port was released, to the first good answer at {window.seen} ms"
    return [
        "",
        f"  {''.join(signs)}",
        f"  {''.join(mark).rstrip()}",
        f"  {axis}",
        "  # answered   . no answer",
        legend,
        "",
    ]
