"""The four phases of the program: prepare, start the standby gateway, cut over, operate.

Each function declares the components of its phase, in the order of the design's graph, and returns those that later
phases need. The first two change nothing for a client; the third is in the program only with `active: sentinel`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.baseline import Baseline, BaselineArgs, is_wanted
from components.claude_client import ClaudeClient, ClaudeClientArgs, ClaudeHeader, ClaudeRecord, ClaudeRecordArgs
from components.claude_permissions import ClaudePermissions, ClaudePermissionsArgs
from components.discord import Discord, DiscordArgs
from components.firewall import Firewall, FirewallArgs
from components.gates import Gates, GatesArgs
from components.grace import Grace, GraceArgs
from components.handover import Handover, HandoverArgs
from components.health_watch import HealthWatch, HealthWatchArgs
from components.host import Host, HostArgs, StackArgs
from components.monitoring.grafana import NAME as GRAFANA
from components.monitoring.grafana import USER as GRAFANA_USER
from components.monitoring.grafana import Grafana, GrafanaArgs
from components.monitoring.prometheus import NAME as PROMETHEUS
from components.monitoring.prometheus import CutoverMark, CutoverMarkArgs, Prometheus, PrometheusArgs
from components.monitoring.statistics import Statistics, StatisticsArgs
from components.networks import Networks, NetworksArgs
from components.nightly import Nightly, NightlyArgs
from components.postgres import NAME as POSTGRES
from components.postgres import Postgres, PostgresArgs
from components.predecessor import Predecessor, PredecessorArgs, RollbackCheck, RollbackCheckArgs
from components.reboot_check import RebootCheck, RebootCheckArgs
from components.sentinel.gateway import Sentinel, SentinelArgs
from components.verification import Verification, VerificationArgs
from hostctl.build import archive
from settings import Settings


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The host and its records. `claude_record` is None unless Sentinel is to have the port."""

    host: Host
    firewall: Firewall | None
    predecessor: Predecessor
    baseline: Baseline | None
    claude_record: ClaudeRecord | None


@dataclass(frozen=True, kw_only=True)
class Standby:
    """Sentinel complete and tested beside the gateway that serves. `runs` is false while it is stopped on purpose."""

    networks: Networks
    postgres: Postgres
    sentinel: Sentinel
    gates: Gates | None
    prometheus: Prometheus | None
    grafana: Grafana | None
    discord: Discord | None
    runs: bool


@dataclass(frozen=True, kw_only=True)
class CutOver:
    """Sentinel on the port, verified."""

    handover: Handover
    verification: Verification


def prepare(settings: Settings) -> Prepared:
    """Record the host as it is; nothing changes for a client."""
    host = Host("host", HostArgs(settings=settings.host, archive=archive()))
    firewall = Firewall("firewall", FirewallArgs(settings=settings, host=host)) if settings.firewall.enabled else None
    predecessor = Predecessor("predecessor", PredecessorArgs(settings=settings, host=host), _after(firewall))
    ClaudeHeader("header", StackArgs(settings=settings, host=host))
    baseline = claude_record = None
    if is_wanted(settings):
        baseline = Baseline("baseline", BaselineArgs(settings=settings, host=host, predecessor=predecessor))
    if settings.active == "sentinel":
        # Quick checks come before the long gates: a rollback that cannot work, a broken file of Claude's.
        rollback = RollbackCheck("rollback", RollbackCheckArgs(settings=settings, host=host, predecessor=predecessor))
        claude_record = ClaudeRecord("claude-record", ClaudeRecordArgs(settings=settings, host=host, rollback=rollback))
    return Prepared(
        host=host, firewall=firewall, predecessor=predecessor, baseline=baseline, claude_record=claude_record
    )


def start_standby(settings: Settings, prepared: Prepared) -> Standby:
    """Start Sentinel unpublished, test it through the gates, and start its monitoring."""
    host, runs = prepared.host, settings.active == "sentinel" or settings.sentinel.standby
    networks = Networks("networks", NetworksArgs(host=host), _after(prepared.firewall))
    postgres = Postgres(
        POSTGRES,
        PostgresArgs(settings=settings, host=host, networks=networks),
        _after(prepared.firewall, prepared.predecessor, prepared.baseline),
    )
    grace = None
    if settings.sentinel.serve == "bridge":
        grace = Grace("grace", GraceArgs(settings=settings, host=host, baseline=prepared.baseline))
    sentinel = Sentinel(
        "sentinel",
        SentinelArgs(
            settings=settings,
            host=host,
            networks=networks,
            postgres=postgres,
            predecessor_folder=grace.folder if grace else None,
            standby=runs,
        ),
        _after(postgres),
    )
    gates = prometheus = grafana = discord = None
    if runs:
        gates = Gates(
            "gates",
            GatesArgs(
                settings=settings,
                host=host,
                networks=networks,
                postgres=postgres,
                sentinel=sentinel,
                baseline=prepared.baseline,
            ),
            _after(prepared.claude_record),
        )
    if settings.prometheus.enabled:
        prometheus = Prometheus(
            PROMETHEUS,
            PrometheusArgs(settings=settings, host=host, networks=networks, sentinel=sentinel, standby=runs),
            _after(sentinel),
        )
    if prometheus and settings.resources.enabled:
        Statistics("resources", StatisticsArgs(settings=settings, host=host, prometheus=prometheus))
    if settings.discord_webhook:
        discord = Discord(
            "discord",
            DiscordArgs(webhook=settings.discord_webhook, reader=GRAFANA_USER, host=host),
            _after(prepared.firewall),
        )
    if prometheus and discord and settings.grafana.enabled:
        grafana = Grafana(
            GRAFANA,
            GrafanaArgs(
                settings=settings, host=host, networks=networks, prometheus=prometheus, discord=discord, standby=runs
            ),
            _after(prometheus),
        )
    return Standby(
        networks=networks,
        postgres=postgres,
        sentinel=sentinel,
        gates=gates,
        prometheus=prometheus,
        grafana=grafana,
        discord=discord,
        runs=runs,
    )


def cut_over(settings: Settings, prepared: Prepared, standby: Standby) -> CutOver | None:
    """Hand the port to Sentinel, connect Claude, and verify every backend; None while ContextForge has the port."""
    if prepared.claude_record is None:
        return None
    host, sentinel = prepared.host, standby.sentinel
    # Of a retired predecessor's rules the counterparts stay: the tools that they close are still there.
    permissions = ClaudePermissions(
        "claude-permissions",
        ClaudePermissionsArgs(settings=settings, host=host, record=prepared.claude_record, gates=standby.gates),
    )
    handover = Handover(
        "handover",
        HandoverArgs(
            settings=settings,
            host=host,
            networks=standby.networks,
            predecessor=prepared.predecessor,
            sentinel=sentinel,
        ),
        _after(prepared.claude_record, standby.gates, permissions),
    )
    claude = ClaudeClient(
        "claude",
        ClaudeClientArgs(
            settings=settings, host=host, record=prepared.claude_record, sentinel=sentinel, handover=handover
        ),
    )
    verification = Verification(
        "verification",
        VerificationArgs(
            settings=settings,
            host=host,
            postgres=standby.postgres,
            sentinel=sentinel,
            claude=claude,
            baseline=prepared.baseline,
        ),
    )
    if standby.prometheus:
        CutoverMark(
            "cutover-mark",
            CutoverMarkArgs(
                settings=settings, host=host, prometheus=standby.prometheus, sentinel=sentinel, handover=handover
            ),
        )
    return CutOver(handover=handover, verification=verification)


def operate(settings: Settings, prepared: Prepared, standby: Standby, served: CutOver | None) -> Nightly | None:
    """Keep it running: uptime check and nightly job while Sentinel serves, the check after each boot."""
    host, nightly = prepared.host, None
    if served and settings.nightly.enabled:
        nightly = Nightly(
            "nightly",
            NightlyArgs(settings=settings, host=host, verification=served.verification, prometheus=standby.prometheus),
        )
    if served and standby.discord and settings.health_watch.enabled:
        HealthWatch(
            "health-watch",
            HealthWatchArgs(
                settings=settings,
                host=host,
                verification=served.verification,
                discord=standby.discord,
                prometheus=standby.prometheus,
                grafana=standby.grafana,
            ),
        )
    if settings.reboot.enabled:
        RebootCheck(
            "reboot-check",
            RebootCheckArgs(
                settings=settings,
                host=host,
                networks=standby.networks,
                postgres=standby.postgres,
                sentinel=standby.sentinel,
                standby=standby.runs,
                firewall=prepared.firewall,
                prometheus=standby.prometheus,
                grafana=standby.grafana,
                discord=standby.discord,
            ),
            _after(standby.gates, standby.grafana, served.verification if served else None),
        )
    return nightly


def _after(*resources: pulumi.Resource | None) -> pulumi.ResourceOptions:
    """Options that depend on the resources; None is one that this stack does not have."""
    return pulumi.ResourceOptions(depends_on=[resource for resource in resources if resource is not None])
