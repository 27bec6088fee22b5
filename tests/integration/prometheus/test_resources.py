"""The file of metrics that the host writes: read by a real Prometheus, queried by the second dashboard."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.monitoring.prometheus import RESOURCES, prometheus_yml
from dashboards import queries
from dashboards.dashboard_file import RESOURCES_FILE
from hostctl import resources as statistics
from lab.real import prometheus
from lab.real.prometheus import Running
from tests.integration.prometheus.test_configuration import settings

pytestmark = pytest.mark.prometheus

MEGABYTE = 1024 * 1024
TARGETS: dict[str, str] = {
    f"{panel['id']}{target['refId']}": target["expr"]
    for panel in json.loads(RESOURCES_FILE.read_text(encoding="utf-8"))["panels"]
    for target in panel["targets"]
}


def written(folder: Path, cpu_seconds: float) -> None:
    """As `resources write` writes it, of two containers that are known."""
    found: statistics.Samples = {
        statistics.MEMORY: [
            ('{container="sentinel-postgres"}', 64 * MEGABYTE),
            ('{container="sentinel-gateway-1"}', 300e6),
        ],
        statistics.LIMIT: [
            ('{container="sentinel-postgres"}', 256 * MEGABYTE),
            ('{container="sentinel-gateway-1"}', 0),
        ],
        statistics.CPU: [('{container="sentinel-postgres"}', cpu_seconds)],
        statistics.PROCESS: [
            (f'{{container="sentinel-gateway-1",process="{name}"}}', size * MEGABYTE)
            for name, size in (("bridge", 33), ("gateway", 31))
        ],
        statistics.DISK: [('{disk="the product"}', 0.5), ('{disk="backups"}', 0.125)],
        statistics.TARGET: [("", 100 * MEGABYTE)],
    }
    beside = folder / "new"
    beside.write_text("".join(statistics.lines(found, round(time.time() * 1000))))
    beside.rename(folder / RESOURCES)


@contextmanager
def running(folder: Path) -> Generator[Running]:
    """Prometheus with the product's configuration, whose own address is a free one here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        own: int = free.getsockname()[1]
    text = prometheus_yml(settings()).replace("127.0.0.1:9090", f"127.0.0.1:{own}")
    text = text.replace("/etc/prometheus", str(folder))
    text = re.sub(r"\b(5|10|15)s\b", "1s", text)
    with prometheus.running(text, folder / "data", f"--web.user-assets={folder}", port=own) as found:
        yield found


def values(found: Running, name: str) -> dict[tuple[str, ...], float]:
    expression = TARGETS[name].replace(queries.RESOURCES_WINDOW, "4s")
    return {tuple(labels[key] for key in sorted(labels)): value for labels, value in found.query(expression)}


def test_the_hosts_file_is_read_without_an_exporter_and_every_panel_shows_it(tmp_path: Path) -> None:
    written(tmp_path, 10)
    with running(tmp_path) as found:
        began = time.time()
        while time.time() < began + 60 and not found.query(f"{queries.CONTAINER_CPU} offset 6s"):
            written(tmp_path, 10 + (time.time() - began) / 2)
            time.sleep(0.2)
        assert values(found, "1A") == {("sentinel-postgres",): 64 * MEGABYTE, ("sentinel-gateway-1",): 300e6}
        assert values(found, "2A") == {("sentinel-postgres",): 0.25}
        assert values(found, "3A") == {("sentinel-postgres",): pytest.approx(0.5, rel=0.3)}
        assert values(found, "4A") == {("bridge",): 33 * MEGABYTE, ("gateway",): 31 * MEGABYTE}
        assert values(found, "4B") == {(): 100 * MEGABYTE}
        assert values(found, "5A") == {("the product",): 0.5, ("backups",): 0.125}
        assert found.query(queries.gateway_memory()) == [({}, 64 * MEGABYTE)]


def test_an_old_sample_is_not_shown_as_new(tmp_path: Path) -> None:
    """The sample's own moment counts: six minutes ago is no answer, whatever is scraped now."""
    written(tmp_path, 10)
    file = tmp_path / RESOURCES
    old = round((time.time() - 360) * 1000)
    file.write_text(re.sub(r" \d{13}$", f" {old}", file.read_text(), flags=re.MULTILINE))
    with running(tmp_path) as found:
        found.wait_for('up{job="resources"} == 1')
        found.wait_for(f"{queries.CONTAINER_MEMORY} offset 5m")
        assert found.query(queries.CONTAINER_MEMORY) == []
        assert found.query(queries.gateway_memory()) == [({}, 0)]
