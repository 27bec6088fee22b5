"""`promtool test rules` on one alert: scraped series in, firing times out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from dashboards.alerting.rules import Alert
from lab.real.prometheus import programs

SCRAPE_SECONDS = 15
Series = Mapping[str, str]
"""A series, such as `up{job="sentinel"}`, to its values in promtool's notation, one every 15 s."""


def rule(alert: Alert) -> dict[str, object]:
    """The alert's condition as a Prometheus rule."""
    sign = {"gt": ">", "lt": "<"}[alert.comparison]
    condition = f"(\n{alert.expression}\n) {sign} {alert.threshold:.12g}"
    return {"alert": alert.uid, "expr": condition, "for": f"{alert.seconds}s"}


def run(rule: Mapping[str, Any], series: Series, expected: Mapping[int, Sequence[Mapping[str, str]]]) -> str:
    """promtool's complaint, empty when exactly the expected labels fire at each of these seconds."""
    tests: dict[str, Any] = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{SCRAPE_SECONDS}s",
        "tests": [
            {
                "interval": f"{SCRAPE_SECONDS}s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [
                    {
                        "eval_time": f"{second}s",
                        "alertname": rule["alert"],
                        "exp_alerts": [{"exp_labels": dict(labels)} for labels in firing],
                    }
                    for second, firing in expected.items()
                ],
            }
        ],
    }
    with TemporaryDirectory() as folder:
        Path(folder, "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "sentinel", "rules": [rule]}]}))
        Path(folder, "test.yml").write_text(yaml.safe_dump(tests))
        done = subprocess.run(
            [*programs().promtool, "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0 or "alertname" in done.stderr + done.stdout, done.stderr
    return "" if done.returncode == 0 else done.stderr + done.stdout


def ever_fires(rule: Mapping[str, Any], series: Series, seconds: int) -> bool:
    """True when the rule fires at any scrape up to `seconds`."""
    silent = run(rule, series, {second: [] for second in range(0, seconds, SCRAPE_SECONDS)})
    return bool(re.search(r"got:\s*\[", silent) and not re.search(r"got:\s*\[\s*\]", silent))
