"""The dashboard's table of contents.

Owns: its order, its variables, its annotations. `python -m dashboards` writes `sentinel-gateway.json`, which Grafana
reads; a test holds the file equal to this code. Deliberately does not: draw a panel (panels.py).

Annotations: while Sentinel holds the port, Prometheus has one more target (its own address, all samples dropped), whose
labels name the serving container (`components/monitoring/prometheus.py`). Its `up` appears, changes and ends with the
cutover, so that Prometheus alone is enough to draw them, and they last as long as the series.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard, QueryVariable
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh, VariableSort

from dashboards import panels, queries
from dashboards.dashboard_file import UID


def dashboard() -> Dashboard:
    return (
        Dashboard("Sentinel gateway")
        .uid(UID)
        .description("Five views of the MCP gateway on 127.0.0.1:9200. Made by `make dashboards`.")
        .tags(["sentinel"])
        .timezone("utc")
        .time("now-6h", "now")
        .refresh("30s")
        .readonly()
        .with_variable(_variable("tool", "Tool", f"label_values({queries.REQUESTS}, tool)"))
        .with_variable(_variable("backend", "Backend", f"label_values({queries.HEALTHY}, backend)"))
        .annotation(_annotation("Cutovers", "green", queries.cutover(), "Sentinel took the port: {{container}}"))
        .annotation(_annotation("Rollbacks", "orange", queries.rollback(), "ContextForge has the port again"))
        .annotation(_annotation("New versions", "blue", queries.new_version(), "{{image}} in {{container}}"))
        .with_panel(panels.request_rate())
        .with_panel(panels.latency())
        .with_panel(panels.error_rate())
        .with_panel(panels.backend_health())
        .with_panel(panels.rate_limit_hits())
    )


def _variable(name: str, label: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .datasource(panels.PROMETHEUS)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def _annotation(name: str, color: str, expression: str, text: str) -> AnnotationQuery:
    return (
        AnnotationQuery()
        .name(name)
        .datasource(panels.PROMETHEUS)
        .enable(True)
        .hide(False)
        .icon_color(color)
        .expr(expression)
        .step("15s")
        .title_format(name)
        .text_format(text)
    )
