"""The five panels, one function each; each description names the fix."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, prometheus, statetimeline, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, ThresholdsConfig
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from dashboards import queries

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
_MINUTE = "1m"
"""Shortest step of a rate: with one user a shorter one shows noise."""

Line = tuple[str, str]
"""A query, and the legend of its series."""


def request_rate() -> timeseries.Panel:
    return lines(
        1,
        "Requests by tool and status",
        "Tool calls a second. A tool that nobody should call: search the audit log for it. No calls although you work: "
        "make verify.",
        "reqps",
        [(queries.request_rate(), "{{tool}} {{status}}")],
    )


def latency() -> timeseries.Panel:
    return lines(
        2,
        "Latency of calls",
        "Half, 95 % and 99 % of the calls that reached a backend took less than this. The histogram ends at 10 s: a "
        "line there is 10 s or more. Select tools above until the slow one is left, then check its backend. The wait "
        "is before that, until the gateway takes a call: one slow tool holds up the others.",
        "s",
        [
            *((queries.latency(quantile), f"p{quantile * 100:g}") for quantile in (0.5, 0.95, 0.99)),
            (queries.waiting(0.99), "p99 of the wait, all tools"),
        ],
    ).thresholds(steps(("green", None), ("yellow", 2.5), ("red", 10)))


def error_rate() -> timeseries.Panel:
    """Two scales: errors a second by type, and on the right the share of all calls, on which the alert fires."""
    panel = lines(
        3,
        "Errors by type and as a share of calls",
        "By type: error and circuit_open come from the backend (make verify), invalid_args from the client; killed, "
        "rate_limited and denied are the configuration's refusals and no failures. The alert fires above a share of "
        "10 %. Lost audit rows: the gateway's log gives the reason.",
        "reqps",
        [
            (queries.error_rate(), "{{error_type}}"),
            (queries.failed_share(queries.PANEL_WINDOW, queries.TOOLS), SHARE),
            (queries.audit_rows_lost_rate(), "audit rows lost"),
        ],
    )
    right_in_percent = [("unit", "percentunit"), ("custom.axisPlacement", "right"), ("min", 0), ("max", 1)]
    return panel.override_by_name(
        SHARE, [DynamicConfigValue(id_val=name, value=value) for name, value in right_in_percent]
    )


SHARE = "share of calls that failed"


def backend_health() -> statetimeline.Panel:
    states = {
        "1": ValueMappingResult(text="healthy", color="green", index=0),
        "0": ValueMappingResult(text="unhealthy", color="red", index=1),
    }
    return (
        statetimeline.Panel()
        .id(4)
        .title("Backends")
        .description(
            "One line a backend. Red: its tools fail while the others serve; make verify shows its answer; "
            "fix its own container or upstream. 'gateway not seen': the gateway is the problem."
        )
        .datasource(PROMETHEUS)
        .height(8)
        .span(12)
        .min(0)
        .max(1)
        .mappings([ValueMap(states)])
        .thresholds(steps(("red", None), ("green", 1)))
        .show_value(VisibilityMode.AUTO)
        .merge_values(True)
        .legend(_legend())
        .with_target(_query(queries.backend_health(), "{{backend}}", "A"))
    )


def rate_limit_hits() -> timeseries.Panel:
    return lines(
        5,
        "Calls that the rate limit refused",
        "Per minute, by tool. Your own work reaches it: raise the tool's limit. It rises although nobody works: a "
        "client loops; the audit log has its calls.",
        "cpm",
        [(queries.rate_limit_hits(), "{{tool}}")],
    ).thresholds(steps(("green", None), ("yellow", 1)))


def text(dashboard: Dashboard) -> str:
    """A dashboard as Grafana reads it: classic JSON, keys sorted."""
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"


def lines(number: int, title: str, description: str, unit: str, lines: Sequence[Line]) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .id(number)
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .height(8)
        .span(24 if number == 1 else 12)
        .interval(_MINUTE)
        .fill_opacity(8)
        .thresholds(steps(("green", None)))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.OFF))
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    for reference, (expression, legend) in zip("ABCD", lines, strict=False):
        panel.with_target(_query(expression, legend, reference))
    return panel


def _query(expression: str, legend: str, reference: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery().datasource(PROMETHEUS).expr(expression).range().legend_format(legend).ref_id(reference)
    )


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def steps(*steps: tuple[str, float | None]) -> ThresholdsConfig:
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=color) for color, value in steps])
    )
