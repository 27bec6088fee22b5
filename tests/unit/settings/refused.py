"""Changes of a good configuration that are refused: the key, its rule, and the line that fixes it."""

from __future__ import annotations

from typing import Any

from settings.gateway_sections import BRIDGE_MEMORY_MB, GATEWAY_MEMORY_MB
from tests.unit.settings.cases import SQLITE, THINKING

ZEROS = "postgres@sha256:" + "0" * 64


def stdio(**changes: Any) -> list[dict[str, Any]]:
    return [THINKING | changes]


def http(**changes: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in (SQLITE | changes).items() if value is not None}]


SINGLE: list[tuple[dict[str, Any], str, str, str]] = [
    # changes, key, part of what is allowed, fixing line
    ({"sentinel__bind": "0.0.0.0"}, "sentinel.bind", "no key of this name", "rm sentinel.bind"),
    (
        {"sentinel__image": "x:latest"},
        "sentinel.image",
        "tag other than latest",
        "set sentinel.image sentinel-gateway:0.1.0",
    ),
    ({"sentinel__image": "x"}, "sentinel.image", "tag other than latest", "set sentinel.image sentinel-gateway:0.1.0"),
    (
        {"sentinel__image": "host:5000/x"},
        "sentinel.image",
        "tag other than latest",
        "set sentinel.image sentinel-gateway:0.1.0",
    ),
    (
        {"postgres": {"image": ZEROS}},
        "postgres.image",
        "not the placeholder of zeros",
        "set --path postgres.image postgres:16",
    ),
    (
        {"sentinel": {"image": "x:1", "kill_switch": {"disabled_backends": ["sqlit"]}}, "sentinel__image": None},
        "sentinel.kill_switch.disabled_backends[0]",
        "the name of a backend: sqlite, sequential-thinking",
        "set --path 'sentinel.kill_switch.disabled_backends[0]' sqlite",
    ),
    (
        {"sentinel__kill_switch": {"disabled_backends": ["sqlite", "sequential-thinking"]}},
        "sentinel.kill_switch.disabled_backends",
        "at least one backend left",
        "rm --path sentinel.kill_switch.disabled_backends",
    ),
    (
        {"sentinel__rate_limits": {"default_rpm": 0}},
        "sentinel.rate_limits.default_rpm",
        "a whole number, at least 1",
        "set --path sentinel.rate_limits.default_rpm 1000",
    ),
    (
        {"sentinel__rate_limits": {"per_tool": {"list_tables": 0}}},
        "sentinel.rate_limits.per_tool.list_tables",
        "an object, each: a whole number, at least 1",
        "rm --path sentinel.rate_limits.per_tool.list_tables",
    ),
    ({"jwt_secret": "short"}, "jwt_secret", "at least 32 characters", "set --secret jwt_secret"),
    ({"jwt_secret": "a$" * 20}, "jwt_secret", "Grafana expands '$'", "set --secret jwt_secret"),
    ({"postgres_password": "p@" * 20}, "postgres_password", "need quoting", "set --secret postgres_password"),
    ({"jwt_secret": "j" * 40 + "\n"}, "jwt_secret", "at least 32 characters", "set --secret jwt_secret"),
    ({"exa_api_key": "with space"}, "exa_api_key", "without white space", "set --secret exa_api_key"),
    (
        {"discord_webhook": "https://example.com/x"},
        "discord_webhook",
        "a Discord webhook",
        "set --secret discord_webhook",
    ),
    ({"nightly__audit_days": "0"}, "nightly.audit_days", "at least 1", "set nightly.audit_days 30"),
    ({"client__token_days": 0}, "client.token_days", "at least 1", "set client.token_days 90"),
    ({"firewall__interface": "eth0/1"}, "firewall.interface", "interface's name", "set firewall.interface auto"),
    ({"firewall__interface": "a" * 16}, "firewall.interface", "1 to 15 characters", "set firewall.interface auto"),
    ({"host__folder": "var/lib"}, "host.folder", "an absolute path", "set host.folder /var/lib/sentinel-cutover"),
    ({"host__home": "home"}, "host.home", "an absolute path", "set host.home /home/operator"),
    ({"host__home": None}, "host.home", "an absolute path", "set --path host.home /home/operator"),
    ({"alerts__latency_seconds": "30"}, "alerts.latency_seconds", "at most 10", "set alerts.latency_seconds 10"),
    ({"postgres__memory_mb": "16"}, "postgres.memory_mb", "at least 128", "set postgres.memory_mb 256"),
    ({"sentinel__port": "true"}, "sentinel.port", "a whole number", "set sentinel.port 9200"),
    ({"sentinel": {"port": True}}, "sentinel.port", "a number, not true", "set --path sentinel.port 9200"),
    ({"sentinel__port": "65536"}, "sentinel.port", "at most 65535", "set sentinel.port 9200"),
    ({"sentinel__standby": "perhaps"}, "sentinel.standby", "true or false", "set sentinel.standby true"),
    ({"active": "both"}, "active", "sentinel or contextforge", "set active sentinel"),
    ({"activ": "sentinel"}, "activ", "did you mean active?", "rm activ"),
    ({"sentinel": {"prot": 1}}, "sentinel.prot", "did you mean sentinel.port?", "rm --path sentinel.prot"),
    ({"backends": None}, "backends[0].name", "at least one backend", "set --path 'backends[0].name' '<name>'"),
    ({"backends": "[]"}, "backends[0].name", "at least one backend", "set --path 'backends[0].name' '<name>'"),
    ({"backends": "[{"}, "backends", "JSON", "rm backends"),
    ({"backends": stdio(kind="tcp")}, "backends[0].kind", "http or stdio", "set --path 'backends[0].kind' http"),
    ({"nightly__at": "25:00"}, "nightly.at", "HH:MM", "set nightly.at 03:17"),
]

TOGETHER: list[tuple[dict[str, Any], str, str, str]] = [
    ({"prometheus__port": "9201"}, "prometheus.port", "sentinel.health_port is 9201 too", "set prometheus.port 9202"),
    (
        {"networks__also": ["n8n_default", "sentinel"]},
        "networks.also[1]",
        "another name than the internal network",
        "set --path 'networks.also[1]' '<another name>'",
    ),
    (
        {"firewall__guard_ports": "[22]"},
        "firewall.guard_ports[0]",
        "other than ssh's",
        "rm --path 'firewall.guard_ports[0]'",
    ),
    (
        {"sentinel": {"start_seconds": 3, "health_interval_seconds": 1}},
        "sentinel.start_seconds",
        "start one after the other",
        "set --path sentinel.start_seconds 180",
    ),
    (
        {"sentinel__health_interval_seconds": "100"},
        "sentinel.start_seconds",
        "3 times health_interval_seconds",
        "set --path sentinel.start_seconds 300",
    ),
    (
        {"sentinel__memory_mb": "50"},
        "sentinel.memory_mb",
        f"at least {BRIDGE_MEMORY_MB}",
        "set sentinel.memory_mb 1024",
    ),
    (
        {"sentinel__memory_mb": "100", "backends": [{**SQLITE, "process": "slow"}, THINKING]},
        "sentinel.memory_mb",
        f"at least {BRIDGE_MEMORY_MB + GATEWAY_MEMORY_MB}",
        "set sentinel.memory_mb 1024",
    ),
    (
        {"alerts__memory_target_mb": "2000"},
        "alerts.memory_target_mb",
        "dies before the alert",
        "set alerts.memory_target_mb 130",
    ),
    (
        {"sentinel__serve": "native", "backends": stdio(process="own")},
        "backends[0].process",
        "one process serves",
        "rm --path 'backends[0].process'",
    ),
    (
        {"sentinel": {"serve": "native", "backends_seconds": 70}},
        "sentinel.backends_seconds",
        "only the bridge knows it",
        "set --path sentinel.backends_seconds 60",
    ),
    (
        {"sentinel__context": "/srv/sentinel", "sentinel__image": "sentinel-gateway:0.1.0@sha256:" + "a" * 64},
        "sentinel.image",
        "the digest comes from the build",
        "set sentinel.image sentinel-gateway:0.1.0",
    ),
    (
        {"client__scope": "project"},
        "client.project",
        "client.scope is project",
        "set --path client.project '<project folder>'",
    ),
    (
        {"client__token_days": "20"},
        "alerts.token_warning_days",
        "alerts on every token",
        "set --path alerts.token_warning_days 3",
    ),
    (
        {"alerts__token_critical_days": "15"},
        "alerts.token_critical_days",
        "at most token_warning_days",
        "set alerts.token_critical_days 3",
    ),
    (
        {"prometheus__scrape_seconds": "40"},
        "prometheus.scrape_seconds",
        "alerts.gateway_minutes is 1",
        "set prometheus.scrape_seconds 15",
    ),
    ({"prometheus__enabled": "false"}, "grafana.enabled", "what Prometheus keeps", "set --path grafana.enabled false"),
    ({"discord_webhook": None}, "discord_webhook", "health_watch.enabled is true", "set --secret discord_webhook"),
    ({"networks__also": None}, "networks.also[0]", "n8n's own network", "set --path 'networks.also[0]' n8n_default"),
    ({"health_watch__minutes": "2.5"}, "health_watch.minutes", "whole minutes", "set health_watch.minutes 2"),
    ({"n8n_api_key": None}, "n8n_api_key", "health_watch.enabled is true", "set --secret n8n_api_key"),
    ({"health_token": "jwt-" + "j" * 40}, "health_token", "jwt_secret has the same", "set --secret health_token"),
    (
        {"backends": stdio() + stdio()},
        "backends[1].name",
        "no other backend has",
        "set --path 'backends[1].name' '<another name>'",
    ),
    ({"backends": http(url=None)}, "backends[0].url", "kind is http", "set --path 'backends[0].url' '<url>'"),
    ({"backends": stdio(url="http://a/b")}, "backends[0].url", "nothing, because", "rm --path 'backends[0].url'"),
    (
        {"backends": http(url="http://127.0.0.1:1/mcp")},
        "backends[0].url",
        "is Sentinel itself",
        "set --path 'backends[0].url' '<url>'",
    ),
    (
        {"backends": http(url="http://postgres:1/")},
        "backends[0].url",
        "Sentinel's own containers",
        "set --path 'backends[0].url' '<url>'",
    ),
    (
        {"backends": stdio(optional=True)},
        "backends[0].reason",
        "the report repeats",
        "set --path 'backends[0].reason' '<reason>'",
    ),
    (
        {"backends": stdio(environment={"A_KEY": "v"})},
        "backends[0].environment.A_KEY",
        "no secret in the clear",
        "rm --path 'backends[0].environment.A_KEY'",
    ),
    (
        {"backends": stdio(environment={"DATABASE_URL": "v"})},
        "backends[0].environment.DATABASE_URL",
        "the gateway's own",
        "rm --path 'backends[0].environment.DATABASE_URL'",
    ),
    (
        {"backends": stdio(environment_secrets={"A": "nope"})},
        "backends[0].environment_secrets.A",
        "the name of a secret key",
        "set --path 'backends[0].environment_secrets.A' '<secret key>'",
    ),
    (
        {"backends": stdio(environment_secrets={"A": "exa_api_key"})},
        "exa_api_key",
        "backend sequential-thinking needs it",
        "set --secret exa_api_key",
    ),
]
