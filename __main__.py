"""The cutover as one program. Settings come first; then each component only after what it stands on."""

import pulumi

from components.baseline import Baseline, is_recorded
from components.claude_client import ClaudeClient, ClaudeClientArgs, ClaudeRecord
from components.firewall import Firewall
from components.gates import Gates, GatesArgs
from components.handover import Handover, HandoverArgs
from components.health_watch import HealthWatch, HealthWatchArgs
from components.host import Host, HostArgs
from components.monitoring.grafana import Grafana, GrafanaArgs
from components.monitoring.prometheus import NAME as PROMETHEUS
from components.monitoring.prometheus import CutoverMark, Prometheus, PrometheusArgs
from components.monitoring.statistics import Statistics
from components.networks import Networks
from components.nightly import Nightly, NightlyArgs
from components.postgres import NAME as POSTGRES
from components.postgres import Postgres
from components.predecessor import Predecessor, RollbackCheck
from components.reboot_check import RebootCheck, RebootCheckArgs
from components.sentinel.gateway import Sentinel, SentinelArgs
from components.verification import ROLLBACK, Verification, VerificationArgs
from hostctl.build import archive
from settings import load_or_stop, secret_output, warnings

settings = load_or_stop()
for words in warnings(settings):
    pulumi.log.warn(words)
sentinel_serves = settings.active == "sentinel"

host = Host("host", HostArgs(settings.host, archive()))
firewall = Firewall("firewall", settings, host=host) if settings.firewall.enabled else None
guarded = [firewall] if firewall else []
after_firewall = pulumi.ResourceOptions(depends_on=guarded)
predecessor = Predecessor("predecessor", settings, host=host, opts=after_firewall)
baseline = Baseline("baseline", settings, host=host, predecessor=predecessor) if is_recorded(settings) else None
networks = Networks("networks", host=host, opts=after_firewall)
postgres = Postgres(
    POSTGRES,
    settings.postgres,
    password=secret_output(settings.postgres_password),
    host=host,
    networks=networks,
    opts=pulumi.ResourceOptions(depends_on=[*guarded, predecessor, *([baseline] if baseline else [])]),
)
standby = sentinel_serves or settings.sentinel.standby
sentinel = Sentinel(
    "sentinel",
    SentinelArgs(settings, host, networks, postgres, standby=standby),
    pulumi.ResourceOptions(depends_on=[postgres]),
)
# The quick looks come first: what could not go back, or a broken file of Claude's, ends the run before the long gates.
rollback = RollbackCheck("rollback", settings, host=host, predecessor=predecessor) if sentinel_serves else None
claude_record = ClaudeRecord("claude-record", settings, host=host, rollback=rollback) if rollback else None
gates = (
    Gates(
        "gates",
        GatesArgs(settings, host, networks, postgres, sentinel, baseline),
        pulumi.ResourceOptions(depends_on=[claude_record] if claude_record else []),
    )
    if standby
    else None
)
prometheus = grafana = None
if settings.prometheus.enabled:
    prometheus = Prometheus(
        PROMETHEUS,
        PrometheusArgs(settings, host, networks, sentinel, standby),
        pulumi.ResourceOptions(depends_on=[sentinel]),
    )
if prometheus is not None and settings.resources.enabled:
    Statistics("resources", settings, host=host, prometheus=prometheus)
if prometheus is not None and settings.grafana.enabled:
    grafana = Grafana(
        "sentinel-grafana",
        GrafanaArgs(settings, host, networks, prometheus, standby),
        pulumi.ResourceOptions(depends_on=[prometheus]),
    )
pulumi.export("active", settings.active)
pulumi.export("host", settings.host.kind)
pulumi.export("sentinel", sentinel.container_name)

ends: list[pulumi.Resource] = [one for one in (gates, grafana) if one is not None]
if claude_record and gates:
    handover = Handover(
        "handover",
        HandoverArgs(settings, host, networks, predecessor, sentinel),
        pulumi.ResourceOptions(depends_on=[claude_record, gates]),
    )
    claude = ClaudeClient("claude", ClaudeClientArgs(settings, host, claude_record, sentinel, handover))
    verification = Verification("verification", VerificationArgs(settings, host, postgres, sentinel, claude, baseline))
    if prometheus is not None:
        CutoverMark("cutover-mark", settings, host=host, prometheus=prometheus, sentinel=sentinel, handover=handover)
    if settings.nightly.enabled:
        nightly = Nightly("nightly", NightlyArgs(settings, host, verification, prometheus))
        pulumi.export("nightly", nightly.report)
    if settings.health_watch.enabled:
        HealthWatch("health-watch", HealthWatchArgs(settings, host, verification, prometheus, grafana))
    ends.append(verification)
    pulumi.export("handover", handover.report)
    pulumi.export("verification", verification.report)
    if settings.predecessor.kind == "contextforge":
        pulumi.export("rollback", ROLLBACK)
if settings.reboot.enabled:
    RebootCheck(
        "reboot-check",
        RebootCheckArgs(settings, host, networks, postgres, sentinel, standby, firewall, prometheus, grafana),
        pulumi.ResourceOptions(depends_on=ends),
    )
