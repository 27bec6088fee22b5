"""The picture shows every panel with the legends, units and thresholds that the panel has."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dashboards.dashboard_file import FILE
from dashboards.picture.drawing import DOTS, HEIGHT, UNITS, WIDTH, draw
from dashboards.picture.samples import Drawn, Span, drawn_panels, expression, legend
from lab.real.prometheus import Running

PANELS: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["panels"]
SPAN = Span(1_000_000.0, 1_000_600.0, 15)


def test_every_query_is_filled_in() -> None:
    queries = [expression(target["expr"]) for panel in PANELS for target in panel["targets"]]
    assert queries and not [one for one in queries if "$" in one]


def test_every_unit_of_the_panels_has_a_name() -> None:
    panels = PANELS
    units = {panel["fieldConfig"]["defaults"].get("unit") for panel in panels} - {None}
    assert units | {"percentunit"} == set(UNITS)


def test_a_legend_leaves_out_missing_labels() -> None:
    assert legend("{{tool}} {{status}}", {"tool": "list_tables", "status": "error"}) == "list_tables error"
    assert legend("{{tool}} {{status}}", {"tool": "no calls"}) == "no calls"


def test_a_span_has_as_many_points_as_a_sheet_can_show_and_none_between_scrapes() -> None:
    assert Span.before(3600, 3600, 15).step == 15
    assert Span.before(86400, 86400, 15).step == 360


def test_panels_without_a_single_series_are_drawn_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "empty.png"
    draw(
        [Drawn(panel, []) for panel in PANELS],
        SPAN,
        "nothing yet",
        file,
    )
    assert Image.open(file).size == (WIDTH * DOTS, HEIGHT * DOTS)


@pytest.mark.prometheus
def test_the_scraped_series_are_drawn_by_name(scraped: Running, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{scraped.port}"
    drawn = drawn_panels(address, json.loads(FILE.read_text(encoding="utf-8")), Span.before(time.time(), 20, 1))
    found = {one.panel["id"]: {series.legend for series in one.series} for one in drawn}
    assert {"list_tables success", "web_search error"} <= found[1]
    assert found[2] == {"p50", "p95", "p99", "p99 of the wait, all tools"}
    assert {"error", "circuit_open", "share of calls that failed", "audit rows lost"} <= found[3]
    assert {"sqlite", "exa"} <= found[4]
    assert "list_tables" in found[5]
    empty, full = tmp_path / "empty.png", tmp_path / "full.png"
    draw([Drawn(one.panel, []) for one in drawn], SPAN, "x", empty)
    draw(drawn, Span.before(time.time(), 20, 1), "x", full)
    assert len(set(Image.open(full).convert("RGB").get_flattened_data())) > len(
        set(Image.open(empty).convert("RGB").get_flattened_data())
    )
