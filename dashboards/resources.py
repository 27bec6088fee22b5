"""The second dashboard: memory and CPU of the stack's containers, and bridge and gateway against their target.

Its figures come once a minute, so that is the shortest step here.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import common, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.common import StackingMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards import panels, queries
from dashboards.dashboard_file import RESOURCES_UID

TARGET_PANEL = 4
DISK_PANEL = 5
TARGET = "target"


def dashboard() -> Dashboard:
    return (
        Dashboard("Sentinel resources")
        .uid(RESOURCES_UID)
        .description("Memory and CPU of the stack's containers. Made by `make dashboards`.")
        .tags(["sentinel"])
        .timezone("utc")
        .time("now-24h", "now")
        .refresh("1m")
        .readonly()
        .with_panel(memory())
        .with_panel(share())
        .with_panel(cpu())
        .with_panel(target())
        .with_panel(disk())
    )


def memory() -> timeseries.Panel:
    return panels.lines(
        1,
        "Memory by container",
        "Without the file cache that the kernel can drop, as in docker stats. A line that only rises is a leak: "
        "docker restart that container when nobody works, and report it to its author.",
        "bytes",
        [(queries.container_memory(), "{{container}}")],
    )


def share() -> timeseries.Panel:
    return panels.lines(
        2,
        "Memory as a share of the limit",
        "At 100 % the kernel ends the container and Docker restarts it. Above 80 % for long: raise its memory_mb "
        "in the settings, or find the cause.",
        "percentunit",
        [(queries.memory_share(), "{{container}}")],
    ).thresholds(panels.steps(("green", None), ("yellow", 0.8), ("red", 0.95)))


def cpu() -> timeseries.Panel:
    return panels.lines(
        3,
        "CPU by container",
        "Busy cores; no container of the stack has a CPU limit. One that keeps a whole core busy although nobody "
        "works: docker top names the process.",
        "short",
        [(queries.container_cpu(), "{{container}}")],
    )


def disk() -> timeseries.Panel:
    return panels.lines(
        DISK_PANEL,
        "Free disk space",
        "The disks with the product's folder, Docker's data and the backups. Below 10 % backups and the audit log are "
        "at risk: docs/alerts.md.",
        "percentunit",
        [(queries.disk_free(), "{{disk}}")],
    ).thresholds(panels.steps(("red", None), ("yellow", 0.1), ("green", 0.2)))


def target() -> timeseries.Panel:
    """The target is a series, since it comes from the settings and this file does not."""
    panel = panels.lines(
        TARGET_PANEL,
        "Bridge and gateway against their target",
        "Resident memory of these processes alone, stacked, without the backends in their container. Above the "
        "dashed line for long: follow docs/alerts.md.",
        "bytes",
        [(queries.process_memory(), "{{process}}"), (queries.memory_target(), TARGET)],
    )
    panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    dashed = [
        ("custom.lineStyle", {"fill": "dash", "dash": [10, 10]}),
        ("custom.stacking", {"mode": "none"}),
        ("color", {"mode": "fixed", "fixedColor": "red"}),
        ("custom.fillOpacity", 0),
    ]
    return panel.override_by_name(TARGET, [DynamicConfigValue(id_val=name, value=value) for name, value in dashed])
