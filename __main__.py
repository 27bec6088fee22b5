"""The cutover as one program. Settings come first; then each component only after what it stands on."""

import pulumi

from components.claude_client import ClaudeClient, ClaudeClientArgs, ClaudeRecord
from components.grafana import Grafana, GrafanaArgs
from components.handover import Handover, HandoverArgs
from components.host import Host, HostArgs
from components.networks import Networks
from components.postgres import Postgres
from components.predecessor import Predecessor
from components.prometheus import CutoverMark, Prometheus, PrometheusArgs
from components.sentinel import Sentinel, SentinelArgs
from components.settings import load_or_stop, secret_output, warnings
from hostctl.build import archive

settings = load_or_stop()
for words in warnings(settings):
    pulumi.log.warn(words)
sentinel_serves = settings.active == "sentinel"

host = Host("host", HostArgs(settings.host, archive()))
predecessor = Predecessor("predecessor", settings.predecessor, host=host)
networks = Networks("networks", settings.networks, host=host)
postgres = Postgres(
    "sentinel-postgres",
    settings.postgres,
    password=secret_output(settings.postgres_password),
    host=host,
    networks=networks,
    opts=pulumi.ResourceOptions(depends_on=[predecessor]),
)
warm = sentinel_serves or settings.sentinel.standby
sentinel = Sentinel(
    "sentinel",
    SentinelArgs(settings, host, networks, postgres, warm),
    pulumi.ResourceOptions(depends_on=[postgres]),
)
prometheus = None
if settings.prometheus.enabled:
    prometheus = Prometheus(
        "sentinel-prometheus",
        PrometheusArgs(settings, host, networks, sentinel, warm),
        pulumi.ResourceOptions(depends_on=[sentinel]),
    )
if prometheus is not None and settings.grafana.enabled:
    Grafana(
        "sentinel-grafana",
        GrafanaArgs(settings, host, networks, prometheus, warm),
        pulumi.ResourceOptions(depends_on=[prometheus]),
    )
pulumi.export("active", settings.active)
pulumi.export("host", settings.host.kind)
pulumi.export("sentinel", sentinel.container_name)

if sentinel_serves:
    claude_record = ClaudeRecord("claude-record", settings, host=host, predecessor=predecessor)
    handover = Handover(
        "handover",
        HandoverArgs(settings, host, networks, predecessor, sentinel),
        pulumi.ResourceOptions(depends_on=[claude_record]),
    )
    if prometheus is not None:
        CutoverMark("cutover-mark", settings, host=host, prometheus=prometheus, sentinel=sentinel, handover=handover)
    ClaudeClient("claude", ClaudeClientArgs(settings, host, claude_record, sentinel, handover))
    pulumi.export("handover", handover.report)
    pulumi.export("way_back", "pulumi config set active contextforge && pulumi up")
