"""All settings of a stack as one immutable model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import Field, SecretStr, model_validator

from settings.backends import Backend
from settings.field_rules import ApiKey, DiscordWebhook, MadeSecret, Section
from settings.gateway_sections import Client, Handover, Host, Networks, Postgres, Predecessor, Sentinel
from settings.operations_sections import (
    Alerts,
    Firewall,
    Grafana,
    HealthWatch,
    Nightly,
    Prometheus,
    Reboot,
    Resources,
    Verification,
)

PATHS_BELOW_HOME = {
    "client.file": ".claude.json",
    "client.token_file": ".mcp-token",
    "firewall.script": "fix-iptables.sh",
    "nightly.folder": "backups/sentinel",
}
"""Paths whose default lies below host.home."""


class Settings(Section):
    """Everything that `pulumi config` says about a stack, checked."""

    active: Literal["sentinel", "contextforge"] = Field(default="sentinel", description="Which gateway owns the port.")
    host: Host
    networks: Networks
    predecessor: Predecessor
    postgres: Postgres
    sentinel: Sentinel
    client: Client
    handover: Handover
    backends: tuple[Backend, ...] = Field(min_length=1, description="The MCP backends; at least one.")
    verification: Verification
    firewall: Firewall
    prometheus: Prometheus
    grafana: Grafana
    alerts: Alerts
    resources: Resources
    health_watch: HealthWatch
    nightly: Nightly
    reboot: Reboot
    jwt_secret: MadeSecret = Field(description="Key of the gateway's tokens (HS256).")
    postgres_password: MadeSecret = Field(description="Password of Sentinel's database.")
    health_token: MadeSecret | None = Field(
        default=None, description="Bearer token of /metrics; without one it is open on the internal networks."
    )
    grafana_admin_password: MadeSecret | None = Field(default=None, description="Password of Grafana's admin.")
    grafana_secret_key: MadeSecret | None = Field(
        default=None, description="Key with which Grafana encrypts its own secrets."
    )
    discord_webhook: DiscordWebhook | None = Field(
        default=None, description="Discord webhook of alerts and of the health watch."
    )
    n8n_api_key: ApiKey | None = Field(default=None, description="Key of n8n's public API, for the health watch.")
    firecrawl_api_key: ApiKey | None = Field(default=None, description="Key of Firecrawl.")
    exa_api_key: ApiKey | None = Field(default=None, description="Key of Exa.")
    context7_api_key: ApiKey | None = Field(default=None, description="Key of Context7.")

    @model_validator(mode="before")
    @classmethod
    def place_paths_below_home(cls, raw: Any) -> Any:
        """Fills the paths that were not given and lie in the operator's home."""
        if not isinstance(raw, Mapping):
            return raw
        filled: dict[str, Any] = dict(cast(Mapping[str, Any], raw))
        for name, field in cls.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                filled.setdefault(name, {})
        host = filled["host"]
        home = cast(Mapping[str, Any], host).get("home") if isinstance(host, Mapping) else None
        for key, below in PATHS_BELOW_HOME.items():
            section, _, field_name = key.partition(".")
            values = filled[section]
            if isinstance(values, Mapping) and cast(Mapping[str, Any], values).get(field_name) in ("", None):
                path = f"{home.rstrip('/')}/{below}" if isinstance(home, str) and home.startswith("/") else f"/{below}"
                filled[section] = {**cast(Mapping[str, Any], values), field_name: path}
        return filled

    def secret(self, key: str) -> SecretStr | None:
        """The secret of that configuration key, such as `exa_api_key`; None when it is not set."""
        return cast("SecretStr | None", getattr(self, key))


SECRET_KEYS = tuple(name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation))
"""The top-level configuration keys that hold secrets."""
