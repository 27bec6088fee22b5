"""The panels on one sheet, as a PNG: places, titles, units, thresholds and colours are the dashboard's own."""

# pyright: basic
# matplotlib's own types are partial, so that strict checking would need a cast at every call.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import matplotlib.dates as dates
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dashboards.picture.samples import Drawn, Series, Span

WIDTH, HEIGHT, DOTS = 13.0, 10.0, 90
"""Inches, and dots an inch."""
UNITS = {"reqps": "calls a second", "s": "seconds", "cpm": "calls a minute", "percentunit": "%"}
COLORS = {"green": "#3c9d4e", "yellow": "#d9a400", "red": "#c4162a"}
LINES = ("#1f60c4", "#e0752d", "#3c9d4e", "#8f3bb8", "#0b8f8f", "#a0522d", "#5a6472", "#c15c9e", "#111111", "#7fb800")
SHARE = "#c4162a"
_COLUMNS = 24
_HEAD, _LEFT, _RIGHT, _ABOVE, _BELOW = 0.045, 0.1, 0.045, 0.03, 0.075
"""Shares of the sheet: its title, and a panel's margins for names, units, title and legend."""
_GAP_STEPS = 1.5
"""A bar ends where the next point is further away: there are no samples in between."""


def draw(drawn: Sequence[Drawn], span: Span, title: str, file: Path) -> None:
    """Write the PNG, dark on white, times in UTC."""
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DOTS, facecolor="white")
    FigureCanvasAgg(figure)
    rows = max(chart.panel["gridPos"]["y"] + chart.panel["gridPos"]["h"] for chart in drawn)
    for chart in drawn:
        axes = figure.add_axes(_place(chart.panel["gridPos"], rows))
        axes.set_title(chart.panel["title"], loc="left", fontsize=11, fontweight="bold")
        (_states if chart.panel["type"] == "state-timeline" else _lines)(axes, chart, span)
        _time_axis(axes, span)
    figure.suptitle(title, x=0.02, y=0.985, ha="left", fontsize=13)
    figure.savefig(file, format="png", pil_kwargs={"optimize": True})


def _place(cell: Mapping[str, int], rows: int) -> tuple[float, float, float, float]:
    """A panel's cell of the dashboard's grid as left, bottom, width and height of its axes, in shares of the sheet."""
    left, width = cell["x"] / _COLUMNS, cell["w"] / _COLUMNS
    top, height = 1 - _HEAD * (1 + cell["y"] / rows * (1 / _HEAD - 1)), cell["h"] / rows * (1 - _HEAD)
    return left + _LEFT, top - height + _BELOW, width - _LEFT - _RIGHT, height - _BELOW - _ABOVE


def _lines(axes: Axes, drawn: Drawn, span: Span) -> None:
    """Lines over the left axis; those that the panel overrides have an axis of their own on the right."""
    defaults = drawn.panel["fieldConfig"]["defaults"]
    overridden = _overrides(drawn.panel)
    colors = iter(LINES * 4)
    handles: list[Any] = []
    own_axis = [series for series in drawn.series if series.legend in overridden]
    shared_axis = [series for series in drawn.series if series.legend not in overridden]
    for series in shared_axis:
        handles += axes.plot(_numbers(series), series.values, color=next(colors), linewidth=1.4, label=series.legend)
    _unit(axes, defaults["unit"])
    highest = max((value for series in shared_axis for value in series.values), default=0)
    _thresholds(axes, defaults["thresholds"]["steps"], highest)
    axes.set_ylim(bottom=0, top=max(highest * 1.15, _least_top(defaults["unit"])))
    for series in own_axis:
        right = axes.twinx()
        handles += right.plot(
            _numbers(series),
            series.values,
            color=SHARE,
            linewidth=1.2,
            linestyle="--",
            label=f"{series.legend} (right)",
        )
        right.set_ylim(overridden[series.legend]["min"], overridden[series.legend]["max"])
        _unit(right, overridden[series.legend]["unit"])
        right.spines["top"].set_visible(False)
    axes.legend(handles=handles, **_LEGEND, ncols=3 if drawn.panel["gridPos"]["w"] < _COLUMNS else 6)


def _states(axes: Axes, drawn: Drawn, span: Span) -> None:
    """A row for each series, coloured by the panel's mapping of its values."""
    states: Mapping[str, Any] = drawn.panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    ordered = sorted(drawn.series, key=lambda series: series.legend, reverse=True)
    step = timedelta(seconds=span.step)
    for row, series in enumerate(ordered):
        for at, (moment, value) in enumerate(zip(series.moments, series.values, strict=True)):
            following = series.moments[at + 1] if at + 1 < len(series.moments) else moment + step
            width = min(following - moment, step * _GAP_STEPS)
            color = COLORS[states[f"{value:g}"]["color"]]
            left, days = _number(moment), width / timedelta(days=1)
            axes.barh(row, days, left=left, height=0.7, color=color, linewidth=0)
    axes.set_yticks(range(len(ordered)), [series.legend for series in ordered], fontsize=8)
    axes.set_ylim(-0.6, max(len(ordered), 1) - 0.4)
    patches = [Patch(color=COLORS[state["color"]], label=state["text"]) for state in states.values()]
    axes.legend(handles=patches, **_LEGEND, ncols=len(patches))


_LEGEND: Mapping[str, Any] = {
    "loc": "upper left",
    "bbox_to_anchor": (0, -0.11),
    "fontsize": 8,
    "frameon": False,
    "borderaxespad": 0.2,
    "handlelength": 1.6,
}


def _thresholds(axes: Axes, steps: Sequence[Mapping[str, Any]], highest: float) -> None:
    """A line where the panel's colour changes, if the values come near it."""
    for step in steps:
        threshold = step.get("value")
        if threshold is not None and threshold <= max(highest * 1.15, 1):
            axes.axhline(threshold, color=COLORS[step["color"]], linewidth=0.9, linestyle=":")
            axes.annotate(
                f"{threshold:g}", (1, threshold), xycoords=("axes fraction", "data"), xytext=(3, 0),
                textcoords="offset points", fontsize=7, color=COLORS[step["color"]], va="center",
            )  # fmt: skip


def _unit(axes: Axes, unit: str) -> None:
    axes.set_ylabel(UNITS[unit], fontsize=8)
    axes.tick_params(labelsize=8)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if unit == "percentunit":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.0f}"))


def _least_top(unit: str) -> float:
    """The least top of an axis, for a panel without events."""
    return 0.1 if unit in ("reqps", "s") else 1.0


def _time_axis(axes: Axes, span: Span) -> None:
    axes.set_xlim(_number(datetime.fromtimestamp(span.start, UTC)), _number(datetime.fromtimestamp(span.end, UTC)))
    axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=9))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M", tz=UTC))
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(color="#e4e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _overrides(panel: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{legend: {property: value}} of the overridden series."""
    return {
        override["matcher"]["options"]: {setting["id"]: setting["value"] for setting in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    }


def _numbers(series: Series) -> list[float]:
    return [_number(moment) for moment in series.moments]


def _number(moment: datetime) -> float:
    """Days since 1970, as matplotlib counts."""
    return moment.timestamp() / 86400
