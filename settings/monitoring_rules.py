"""Rules over the settings of monitoring: tokens, alerts, Prometheus, Grafana and the health watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from settings.errors import NOT_SET, Problem
from settings.field_rules import BUCKETS_SECONDS
from settings.limits import RENEW_SHARE
from settings.model import Settings

SCRAPES_IN_A_WINDOW = 4
"""With fewer scrapes in a rate's window, one lost scrape leaves no rate (Prometheus's own advice)."""


def require_token_to_be_renewed_before_it_warns(settings: Settings) -> Iterator[Problem]:
    client, alerts = settings.client, settings.alerts
    renewed = client.token_days * RENEW_SHARE
    if alerts.token_warning_days >= renewed:
        allowed = (
            f"below {renewed:g}, when a token is renewed (token_days x {RENEW_SHARE}), or it alerts on every token"
        )
        value = str(max(1, round(renewed / 2)))
        related = ("client.token_days",)
        yield Problem("alerts.token_warning_days", str(alerts.token_warning_days), allowed, value, related=related)
    if alerts.token_critical_days > alerts.token_warning_days:
        allowed = f"at most token_warning_days ({alerts.token_warning_days})"
        configured, related = str(alerts.token_critical_days), ("alerts.token_warning_days",)
        yield Problem(
            "alerts.token_critical_days", configured, allowed, str(min(3, alerts.token_warning_days)), related=related
        )


def require_alert_windows_that_scrapes_fill(settings: Settings) -> Iterator[Problem]:
    if not settings.prometheus.enabled:
        return
    scrape = settings.prometheus.scrape_seconds
    for name, scrapes in (("error_minutes", SCRAPES_IN_A_WINDOW), ("backend_minutes", 2), ("gateway_minutes", 2)):
        minutes: float = getattr(settings.alerts, name)
        if minutes * 60 < scrape * scrapes:
            most = int(minutes * 60 // scrapes)
            allowed = f"at most {most}: alerts.{name} is {minutes:g} and needs {scrapes} scrapes in it"
            yield Problem("prometheus.scrape_seconds", str(scrape), allowed, "15", related=(f"alerts.{name}",))


def require_latency_that_a_bucket_shows(settings: Settings) -> Iterator[Problem]:
    configured = settings.alerts.latency_seconds
    if configured not in BUCKETS_SECONDS:
        listed = ", ".join(f"{bucket:g}" for bucket in BUCKETS_SECONDS)
        nearest = min(BUCKETS_SECONDS, key=lambda bucket: abs(bucket - configured))
        allowed = f"one of the histogram's buckets ({listed}): it counts calls at no other threshold"
        yield Problem("alerts.latency_seconds", f"{configured:g}", allowed, f"{nearest:g}")


def require_prometheus_for_grafana(settings: Settings) -> Iterator[Problem]:
    if settings.grafana.enabled and not settings.prometheus.enabled:
        allowed = "false while prometheus.enabled is false: Grafana shows what Prometheus keeps"
        yield Problem("grafana.enabled", "true", allowed, "false", related=("prometheus.enabled",))


def require_n8n_to_reach_the_gateway(settings: Settings) -> Iterator[Problem]:
    watch = settings.health_watch
    if not watch.enabled:
        return
    if watch.minutes >= 1 and not float(watch.minutes).is_integer():
        allowed, value = "whole minutes from 1 on, as n8n's schedule counts them", str(round(watch.minutes))
        yield Problem("health_watch.minutes", f"{watch.minutes:g}", allowed, value)
    if watch.in_container and not settings.networks.also:
        allowed = "n8n's own network, by which its container reaches Sentinel"
        yield Problem(
            "networks.also[0]",
            NOT_SET,
            allowed,
            "n8n_default",
            related=("health_watch.enabled", "health_watch.in_container"),
        )


RULES: tuple[Callable[[Settings], Iterator[Problem]], ...] = (
    require_token_to_be_renewed_before_it_warns,
    require_alert_windows_that_scrapes_fill,
    require_latency_that_a_bucket_shows,
    require_prometheus_for_grafana,
    require_n8n_to_reach_the_gateway,
)
