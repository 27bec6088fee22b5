"""`python -m dashboards.picture --prometheus ADDRESS --minutes N --out FILE` (`make dashboard-picture`)."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from dashboards.dashboard_file import FILE
from dashboards.picture.drawing import draw
from dashboards.picture.samples import Span, drawn_panels


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dashboards.picture", description="Draws the dashboard.")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--step", type=int, default=15, help="least seconds between two points: the scrape interval")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    dashboard = json.loads(FILE.read_text(encoding="utf-8"))
    span = Span.before(time.time(), arguments.minutes * 60, arguments.step)
    try:
        panels = drawn_panels(arguments.prometheus, dashboard, span)
    except OSError as error:
        print(f"Prometheus does not answer at {arguments.prometheus} ({error}): run make status.", file=sys.stderr)
        return 1
    at = datetime.fromtimestamp(span.end, UTC)
    title = f"{dashboard['title']}: the last {arguments.minutes:g} minutes, until {at:%Y-%m-%d %H:%M} UTC"
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    draw(panels, span, title, arguments.out)
    return 0


sys.exit(main())
