"""`hostctl prometheus wait` on a real Prometheus."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console.paths import ROOT
from lab.doubles import metrics_endpoint
from lab.real import prometheus

pytestmark = pytest.mark.prometheus


def wait(port: int, *jobs: str, limit: float = 20) -> subprocess.CompletedProcess[str]:
    document = {"address": "127.0.0.1", "port": port, "jobs": jobs, "limit_seconds": limit}
    return subprocess.run(
        [sys.executable, "-m", "hostctl", "prometheus", "wait"],
        input=json.dumps(document), capture_output=True, text=True, cwd=ROOT, timeout=60,
    )  # fmt: skip


def scraping(port: int) -> str:
    job: dict[str, Any] = {"job_name": "sentinel", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    return json.dumps({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]})


def test_it_ends_when_the_target_is_up(tmp_path: Path) -> None:
    with (
        metrics_endpoint.served(lambda metrics, seconds: None) as port,
        prometheus.running(scraping(port), tmp_path) as running,
    ):
        done = wait(running.port, "sentinel")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["up"] == ["sentinel"]
        assert wait(running.port, "other", limit=0).stderr.startswith(
            "hostctl prometheus wait: Prometheus has no target of the job other, for 0 s: fix that, then run again"
        )


def test_a_target_that_stays_down_is_reported_with_prometheus_own_reason(tmp_path: Path) -> None:
    with (
        metrics_endpoint.served(lambda metrics, seconds: None, token="secret") as port,
        prometheus.running(scraping(port), tmp_path) as running,
    ):
        running.wait_for('up{job="sentinel"} == 0')
        said = wait(running.port, "sentinel", limit=1)
    assert said.returncode == 1
    assert f"the target http://127.0.0.1:{port}/metrics is down (server returned HTTP status 401" in said.stderr


def test_a_missing_prometheus_is_one_sentence() -> None:
    said = wait(1, "sentinel", limit=0)
    assert said.stderr.startswith(
        "hostctl prometheus wait: Prometheus does not answer on 127.0.0.1:1 (Connection refused)"
    )
