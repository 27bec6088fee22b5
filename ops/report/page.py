"""The report as one HTML page that needs nothing else: no script, no font, no picture from anywhere.

Everything that is not this file's own text is escaped.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from ops.report import drawing
from ops.report.claims import Part, Report
from ops.report.tables import Cell, Table, moment

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_SIGNS = {"proven": "✓", "disproved": "✗", "not checked": "?", "": ""}
_KINDS = {"proven": "good", "disproved": "bad", "not checked": "unknown", "": "plain"}

STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def html(report: Report) -> str:
    """The whole page."""
    title = f"{report.title}, {moment(report.at)}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}"/>
<meta name="referrer" content="no-referrer"/>
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(report.title)}</h1>
<div class="soft">Stack {escape(report.stack)}, update {report.number or "unknown"}, {escape(moment(report.at))}</div>
{_verdict(report)}
{chr(10).join(_part(part) for part in report.parts)}
<footer>Made {escape(moment(report.made_at))} by make report. Secrets are left out; anything like one reads [hidden].
This page loads nothing from anywhere.</footer>
</main>
</body>
</html>
"""


def _verdict(report: Report) -> str:
    verdicts = report.by_verdict()
    kind = "bad" if verdicts["disproved"] else "unknown" if verdicts["not checked"] else "good"
    soft = ' <span class="soft">({})</span>'
    claims = "\n".join(
        f'<li><a href="#{part.name}"><span class="sign {_KINDS[part.verdict]}">{_SIGNS[part.verdict]}</span>'
        f"{escape(part.title)}{'' if part.verdict == 'proven' else soft.format(part.verdict)}</a></li>"
        for part in report.parts
        if part.verdict
    )
    headline = f"<strong>{escape(report.headline)}</strong>"
    figures = "".join(f"<div><b>{escape(value)}</b>{escape(unit)}</div>" for value, unit in report.figures)
    headline += f'\n<div class="figures">{figures}</div>'
    return f'<section class="card verdict {kind}">{headline}\n<ul>\n{claims}\n</ul></section>'


def _part(part: Part) -> str:
    kind = _KINDS[part.verdict]
    badge = f'<span class="badge {kind}">{_SIGNS[part.verdict]} {part.verdict}</span>' if part.verdict else ""
    picture = ""
    if part.window is not None:
        picture = (
            f'<div class="wide">{drawing.svg(part.window, 860, 12)}</div>'
            f'<div class="narrow">{drawing.svg(part.window, 340, 4)}</div>'
        )
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in part.facts if value)
    return "\n".join(
        [
            f'<section class="card" id="{part.name}">',
            f'<div class="head"><h2>{escape(part.title)}</h2>{badge}</div>',
            f"<p>{escape(part.sentence)}</p>",
            picture,
            f"<dl>{facts}</dl>" if facts else "",
            *(_table(table) for table in part.tables),
            "</section>",
        ]
    )


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in table.heads)
    rows = "\n".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in table.rows)
    return f"<h3>{escape(table.title)}</h3>\n<table><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"


def _cell(cell: Cell) -> str:
    kind = f' class="{cell.tone}"' if cell.tone else ""
    note = f"<small>{escape(cell.note)}</small>" if cell.note else ""
    return f"<td{kind}>{escape(cell.text)}{note}</td>"
