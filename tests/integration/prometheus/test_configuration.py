"""The rendered configuration, read by a real Prometheus and by the promtool that checks it on the host."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.monitoring.prometheus import prometheus_yml
from dashboards import queries
from hostctl.nightly import results
from hostctl.nightly.request import Marks
from lab.doubles import metrics_endpoint
from lab.doubles.sentinel.metrics import Metrics
from lab.real import prometheus
from lab.real.prometheus import Running, programs
from settings import Settings, load
from settings.model import SECRET_KEYS
from tests.unit.hostctl.nightly.request import nightly_request
from tests.unit.settings.cases import configuration

pytestmark = pytest.mark.prometheus

TOKEN = "health-" + "h" * 40


def settings(**changes: Any) -> Settings:
    return load(configuration(**changes), SECRET_KEYS)


def on_this_machine(text: str, folder: Path, port: int) -> str:
    """The product's configuration with the container's paths and addresses exchanged for this machine's."""
    text = text.replace("sentinel-gateway:9201", f"127.0.0.1:{port}").replace("/run/secrets", str(folder))
    return re.sub(r"\b(5|10|15)s\b", "1s", text.replace("/etc/prometheus", str(folder)))


def called(metrics: Metrics, seconds: float, tools: int = 100) -> None:
    for number in range(tools):
        metrics.request(f"tool-{number}", 0.03, None)


def target(running: Running, job: str = "sentinel") -> dict[str, Any]:
    """The job's one target, once it has been scraped."""
    running.wait_for(f'up{{job="{job}"}}')
    return next(one for one in running.get("targets")["activeTargets"] if one["labels"]["job"] == job)


@pytest.mark.parametrize("token", [None, TOKEN], ids=["open", "with-token"])
def test_promtool_accepts_it(tmp_path: Path, token: str | None) -> None:
    text = on_this_machine(prometheus_yml(settings(health_token=token)), tmp_path, 9201)
    (tmp_path / "health_token").write_text(TOKEN)
    (tmp_path / "prometheus.yml").write_text(text)
    done = subprocess.run(
        [*programs().promtool, "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert TOKEN not in text


def test_it_scrapes_the_gateway_and_itself_and_nothing_else() -> None:
    found = yaml.safe_load(prometheus_yml(settings()))
    targets = {job["job_name"]: job.get("static_configs", [{}])[0].get("targets") for job in found["scrape_configs"]}
    assert targets == {
        "sentinel": ["sentinel-gateway:9201"],
        "prometheus": ["127.0.0.1:9090"],
        "cutover": None,
        "host": None,
        "resources": ["127.0.0.1:9090"],
    }
    assert found["global"]["scrape_interval"] == "15s"


def test_the_token_is_read_from_its_file_and_the_gateway_accepts_it(tmp_path: Path) -> None:
    (tmp_path / "health_token").write_text(TOKEN)
    with metrics_endpoint.served(called, token=TOKEN) as port:
        text = on_this_machine(prometheus_yml(settings(health_token=TOKEN)), tmp_path, port)
        with prometheus.running(text, tmp_path / "right") as running:
            assert target(running)["health"] == "up"
        (tmp_path / "health_token").write_text("wrong")
        with prometheus.running(text, tmp_path / "wrong") as running:
            assert "401" in target(running)["lastError"]


def test_a_gateway_with_more_series_than_allowed_is_down_with_a_reason(tmp_path: Path) -> None:
    """6000 samples of 400 invented tools; without a limit a client could fill the disk with names."""
    with metrics_endpoint.served(lambda metrics, seconds: called(metrics, seconds, tools=400)) as port:
        text = on_this_machine(prometheus_yml(settings()), tmp_path, port)
        with prometheus.running(text, tmp_path / "data") as running:
            assert "sample limit exceeded" in target(running)["lastError"]
            assert running.query(queries.REQUESTS) == []


def test_a_changed_configuration_over_the_same_data_loses_nothing(tmp_path: Path) -> None:
    tools = ["before"]

    def happened(metrics: Metrics, seconds: float) -> None:
        metrics.request(tools[-1], 0.03, None)

    with metrics_endpoint.served(happened) as port:
        text = on_this_machine(prometheus_yml(settings()), tmp_path, port)
        with prometheus.running(text, tmp_path / "data") as running:
            running.wait_for(f'{queries.REQUESTS}{{tool="before"}}')
        tools.append("after")
        changed = on_this_machine(prometheus_yml(settings(resources__enabled="false")), tmp_path, port)
        assert changed != text
        with prometheus.running(changed, tmp_path / "data") as running:
            running.wait_for(f'{queries.REQUESTS}{{tool="after"}}')
            assert running.query(f'count(count_over_time({queries.REQUESTS}{{tool="before"}}[1h]))') == [({}, 1)]


def test_the_nightly_jobs_figures_are_scraped_while_it_is_installed(tmp_path: Path) -> None:
    """As `hostctl nightly` writes them; no more than its own folder is served."""
    marks = tmp_path / "marks"
    marks.mkdir()
    (tmp_path / "health_token").write_text(TOKEN)
    text = on_this_machine(prometheus_yml(settings()), tmp_path, 1)
    with prometheus.running(text, tmp_path / "data", f"--web.user-assets={marks}") as running:
        place = Marks(str(marks), f"127.0.0.1:{running.port}")
        request = replace(nightly_request(tmp_path), prometheus=place)
        results.note(request, "backup", {}, {queries.LAST_BACKUP: 1_800_000_000})
        results.point_out(request)
        running.wait_for(queries.LAST_BACKUP)
        assert running.query(queries.LAST_BACKUP) == [
            ({"job": "host", "instance": f"127.0.0.1:{running.port}"}, 1_800_000_000)
        ]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{running.port}/user/../health_token", timeout=10)
        results.withdraw(request)
        running.wait_for('absent(up{job="host"})')
        assert running.query(queries.LAST_BACKUP) == []


def test_a_mark_appears_changes_and_goes_without_a_restart_and_keeps_only_up(tmp_path: Path) -> None:
    """The dashboard's annotations, with two seconds in place of their minute."""

    def annotated(query: str) -> str:
        return query.replace("offset 1m", "offset 2s")

    marks = tmp_path / "marks"
    marks.mkdir()

    def mark(container: str, address: str) -> None:
        labels = {"container": container, "image": "sentinel-gateway:0.1.0"}
        (marks / "new").write_text(json.dumps([{"targets": [address], "labels": labels}]))
        (marks / "new").rename(marks / "cutover.json")

    with metrics_endpoint.served(called) as port:
        text = on_this_machine(prometheus_yml(settings()), tmp_path, port)
        with prometheus.running(text, tmp_path / "data") as running:
            itself = f"127.0.0.1:{port}"
            running.wait_for('up{job="prometheus"} offset 2s')
            assert running.query(queries.cutover()) == []
            mark("sentinel-gateway-1", itself)
            running.wait_for(annotated(queries.cutover()))
            running.wait_for(f"absent({annotated(queries.cutover())})")
            assert running.query('count({job="cutover", __name__!~"up|scrape_.*"})') == []
            running.wait_for('up{job="cutover"} offset 2s')
            mark("sentinel-gateway-2", itself)
            running.wait_for(annotated(queries.new_version()))
            (marks / "cutover.json").unlink()
            running.wait_for(annotated(queries.rollback()))
