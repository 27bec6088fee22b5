"""The downtime's picture as inline SVG: attempts along time on two lanes, the phases of the handover beneath.

A mark's lane says the same as its colour, so that nobody needs the colour. Colours are the page's CSS variables.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from ops.report.tables import amount
from ops.report.window import Window

Scale = Callable[[float], float]
"""From milliseconds to the picture's own units."""

LEFT = 74
RIGHT = 10
LANES = {True: 46, False: 78}
LANE_HEIGHT = 20
PHASES_TOP = 108
AXIS = 138
HEIGHT = 166
SMALLEST_MARK = 3.0
_STEPS = (10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000)


def svg(window: Window, width: int, most_ticks: int) -> str:
    """One picture, `width` units wide: its letters keep their size only where it is shown that wide."""
    begin, end = window.span
    gap = window.downtime if window.whole else window.seen
    scale = (width - LEFT - RIGHT) / (end - begin)

    def x(moment: float) -> float:
        return round(LEFT + (moment - begin) * scale, 1)

    label = f"Attempts to reach the port over time: downtime {amount(gap)}; " + ", ".join(
        f"{count} {word}" for word, count in window.counts().items()
    )
    lines = [
        f'<svg viewBox="0 0 {width} {HEIGHT}" width="100%" role="img" aria-label="{escape(label)}" '
        'xmlns="http://www.w3.org/2000/svg">',
        f'<rect class="gap" x="{x(0)}" y="28" width="{max(1, x(window.seen) - x(0)):.1f}" height="{AXIS - 28}"/>',
        _text(min(max(x(window.seen / 2), LEFT + 60), width - 70), 18, f"downtime {amount(gap)}", "gap-label"),
        *(_lane(good, width) for good in LANES),
        *_marks(window, x),
        *_phases(window, x),
        *_axis(begin, end, most_ticks, x, width),
        "</svg>",
    ]
    return "\n".join(lines)


def _lane(good: bool, width: int) -> str:
    y = LANES[good]
    name = _text(LEFT - 8, y + 4, "answered" if good else "no answer", "lane-label")
    return f'{name}<line class="lane" x1="{LEFT}" y1="{y}" x2="{width - RIGHT}" y2="{y}"/>'


def _marks(window: Window, x: Scale) -> list[str]:
    marks: list[str] = []
    for attempt in window.attempts:
        left, right = x(attempt.began), x(attempt.ended)
        title = f"<title>{attempt.began} to {attempt.ended} ms: {escape(attempt.result)}</title>"
        marks.append(
            f'<rect class="{"good" if attempt.good else "bad"}" x="{left}" y="{LANES[attempt.good] - LANE_HEIGHT / 2}" '
            f'width="{max(SMALLEST_MARK, right - left):.1f}" height="{LANE_HEIGHT}" rx="1.5">{title}</rect>'
        )
    return marks


def _phases(window: Window, x: Scale) -> list[str]:
    elements = [_text(LEFT - 8, PHASES_TOP + 10, "handover", "lane-label")]
    at = 0
    for number, (name, ms) in enumerate(window.phases):
        left, wide = x(at), x(at + ms) - x(at)
        elements.append(
            f'<rect class="phase phase-{number}" x="{left}" y="{PHASES_TOP}" width="{max(1, wide):.1f}" height="14">'
            f"<title>{escape(name)}: {ms} ms</title></rect>"
        )
        if wide > 7 * len(name):
            elements.append(_text(left + wide / 2, PHASES_TOP + 11, name, "phase-label"))
        at += ms
    return elements


def _axis(begin: int, end: int, most: int, x: Scale, width: int) -> list[str]:
    step = next((candidate for candidate in _STEPS if (end - begin) / candidate <= most), _STEPS[-1])
    elements = [f'<line class="axis" x1="{LEFT}" y1="{AXIS}" x2="{width - RIGHT}" y2="{AXIS}"/>']
    for moment in range(-(-begin // step) * step, end + 1, step):
        elements.append(f'<line class="axis" x1="{x(moment)}" y1="{AXIS}" x2="{x(moment)}" y2="{AXIS + 5}"/>')
        elements.append(_text(x(moment), AXIS + 20, f"{moment}" if moment else "0 ms", "tick"))
    return elements


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y}">{escape(text)}</text>'
