"""`python -m dashboards.picture --prometheus ADDRESS --minutes N --out FILE` (`make dashboard-picture`)."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from dashboards.dashboard_file import FILE
from dashboards.picture.asking import Span, asked
from dashboards.picture.drawing import draw


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dashboards.picture", description="Draws the dashboard.")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--step", type=int, default=15, help="least seconds between two points: the scrape interval")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    dashboard = json.loads(FILE.read_text(encoding="utf-8"))
    span = Span.before(time.time(), given.minutes * 60, given.step)
    try:
        panels = asked(given.prometheus, dashboard, span)
    except OSError as error:
        print(f"Prometheus does not answer at {given.prometheus} ({error}): look at make status.", file=sys.stderr)
        return 1
    at = datetime.fromtimestamp(span.end, UTC)
    title = f"{dashboard['title']}: the last {given.minutes:g} minutes, until {at:%Y-%m-%d %H:%M} UTC"
    given.out.parent.mkdir(parents=True, exist_ok=True)
    draw(panels, span, title, given.out)
    return 0


sys.exit(main())
