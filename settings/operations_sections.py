"""The settings of checks and monitoring: verification, firewall, Prometheus, Grafana, alerts, health watch, nightly
job, reboot check.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from settings.field_rules import (
    LARGEST_BUCKET_SECONDS,
    AbsolutePath,
    ClockTime,
    CopyCommand,
    Days,
    HttpUrl,
    Image,
    InterfaceName,
    Port,
    Seconds,
    Section,
    Whole,
    require_number_not_boolean,
)

Minutes = Annotated[Whole, Field(ge=1, le=1440)]
AlertMinutes = Annotated[float, BeforeValidator(require_number_not_boolean), Field(ge=0.25, le=1440)]
WatchMinutes = Annotated[float, BeforeValidator(require_number_not_boolean), Field(ge=0.05, le=59)]
MemoryMb = Annotated[Whole, Field(ge=64, le=65536)]


class Verification(Section):
    """The check of every backend through Claude's own entry."""

    baseline: bool = Field(default=True, description="Compare with the predecessor's answers before the cutover.")


class Firewall(Section):
    """Rules that keep the ports closed to the outside even if a loopback bind is lost."""

    enabled: bool = Field(default=True, description="Keep the managed block in the host's firewall script.")
    interface: InterfaceName = Field(
        default="auto", description="Public interface; auto finds it by the default route."
    )
    script: AbsolutePath = Field(
        default="", validate_default=True, description="Firewall script that the host runs at boot."
    )
    guard_ports: tuple[Port, ...] = Field(
        default=(), description="Further TCP ports to guard, beside every loopback port of this stack."
    )
    escalation: Literal["root", "sudo", "container"] = Field(
        default="root",
        description="Rights by which rules are applied: as root, by sudo, or in a privileged one-shot container.",
    )


class Prometheus(Section):
    """Metrics of Sentinel and of Prometheus."""

    enabled: bool = Field(default=True, description="Run Prometheus.")
    image: Image = Field(default="prom/prometheus:v3.13.5", description="Image of Prometheus; in production by digest.")
    port: Port = Field(default=9090, description="Loopback port.")
    scrape_seconds: Annotated[Whole, Field(ge=5, le=300)] = Field(
        default=15, description="Seconds between two scrapes."
    )


class Grafana(Section):
    """The dashboard, and the alerts that go to Discord."""

    enabled: bool = Field(default=True, description="Run Grafana; needs Prometheus.")
    image: Image = Field(default="grafana/grafana:12.4.5", description="Image of Grafana; in production by digest.")
    port: Port = Field(default=3100, description="Loopback port.")
    root_url: HttpUrl = Field(default="http://127.0.0.1:3100/", description="Address that links in alerts begin with.")


class Alerts(Section):
    """Thresholds of the alert rules."""

    error_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1, description="Share of failed calls above which an alert fires."
    )
    error_minutes: Minutes = Field(default=5, description="Minutes over which that share is measured.")
    latency_seconds: Annotated[float, Field(gt=0, le=LARGEST_BUCKET_SECONDS)] = Field(
        default=10,
        description="Seconds that 99 % of calls stay below: a bucket of the histogram, of which 10 is the largest.",
    )
    backend_minutes: AlertMinutes = Field(default=2, description="Minutes for which a backend may be unhealthy.")
    gateway_minutes: AlertMinutes = Field(default=1, description="Minutes for which the gateway may be down.")
    evaluate_seconds: Annotated[Whole, Field(ge=10, le=300, multiple_of=10)] = Field(
        default=30, description="Seconds between two evaluations of the rules; Grafana counts in tens."
    )
    wait_seconds: Seconds = Field(
        default=15, description="Seconds for which alerts are grouped before the first message."
    )
    news_seconds: Seconds = Field(
        default=60, description="Seconds between two messages about the same alert when something changed."
    )
    memory_target_mb: MemoryMb = Field(
        default=130, description="Megabytes that the bridge and its gateway processes together should stay under."
    )
    backup_hours: Annotated[Whole, Field(ge=25, le=744)] = Field(
        default=26, description="Hours after which the last good backup is too old; a nightly job needs more than 24."
    )
    disk_free_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1, description="Free share of a disk of the product's below which an alert fires."
    )
    token_warning_days: Days = Field(default=14, description="A warning fires below this many days of a token.")
    token_critical_days: Days = Field(default=3, description="A critical alert fires below this many days of a token.")


class Resources(Section):
    """Memory and CPU of the stack's containers over time, on a dashboard of their own."""

    enabled: bool = Field(default=True, description="Read Docker's statistics on the host once a minute.")


class HealthWatch(Section):
    """n8n's own check of the gateway, independent of Grafana."""

    enabled: bool = Field(default=True, description="Keep the workflow in n8n.")
    url: HttpUrl = Field(default="http://127.0.0.1:5678", description="n8n's address on the host.")
    in_container: bool = Field(
        default=True, description="n8n runs in a container, in a network of networks.also; false: on the host."
    )
    minutes: WatchMinutes = Field(
        default=5, description="Minutes between two checks: whole minutes, or a part of one for a test."
    )


class Nightly(Section):
    """Backup that is read back, then retention of the audit table and renewal of the token."""

    enabled: bool = Field(default=True, description="Keep the nightly job.")
    script: AbsolutePath | None = Field(
        default=None,
        description="Your own script on the host, which gets a block that runs the job; without one, host.scheduler.",
    )
    folder: AbsolutePath = Field(default="", validate_default=True, description="Folder of the backups.")
    copy_to: CopyCommand | None = Field(
        default=None,
        description='Command on the host that copies a new backup, "$1", to another machine, as the user of the job.',
        examples=['rclone copy "$1" remote:sentinel'],
    )
    at: ClockTime = Field(default="03:17", description="Time of day in UTC, without a script.")
    keep_daily: Days = Field(default=7, description="Daily backups kept.")
    keep_weekly: Annotated[Whole, Field(ge=0, le=520)] = Field(default=4, description="Weekly backups kept.")
    keep_monthly: Annotated[Whole, Field(ge=0, le=120)] = Field(default=6, description="Monthly backups kept.")
    audit_days: Days = Field(default=30, description="Days after its end for which a call's row of audit_log is kept.")


class Reboot(Section):
    """The check after each boot of the host: everything came back; kept there and sent to Discord."""

    enabled: bool = Field(default=True, description="Have the host check itself after a boot.")
