"""The smallest good configuration, and variations of it, for the tests of the settings."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from settings import SettingsError, load
from settings.model import SECRET_KEYS

SQLITE: dict[str, Any] = {
    "name": "sqlite",
    "kind": "http",
    "url": "http://sqlite:8000/mcp",
    "container": "mcp-sqlite",
    "tool": "list_tables",
}
THINKING: dict[str, Any] = {
    "name": "sequential-thinking",
    "kind": "stdio",
    "command": "mcp-server-sequential-thinking",
    "tool": "sequentialthinking",
}
SMALLEST: dict[str, Any] = {
    "host.home": "/home/operator",
    "networks.also": ["n8n_default"],
    "sentinel.image": "sentinel-gateway:0.1.0",
    "backends": [SQLITE, THINKING],
    "jwt_secret": "jwt-" + "j" * 40,
    "postgres_password": "pg-" + "p" * 40,
    "grafana_admin_password": "grafana-" + "a" * 40,
    "grafana_secret_key": "grafana-" + "k" * 40,
    "discord_webhook": "https://discord.com/api/webhooks/123456789012345678/" + "w" * 68,
    "n8n_api_key": "n8n-" + "n" * 40,
}


def configuration(**changes: Any) -> dict[str, Any]:
    """The smallest good configuration with these keys set ('__' for '.'), or left out where the value is None."""
    changed = SMALLEST | {key.replace("__", "."): value for key, value in changes.items()}
    return {key: value for key, value in changed.items() if value is not None}


def refusal(raw: dict[str, Any], secret_keys: Collection[str] = SECRET_KEYS) -> SettingsError:
    """The error with which a configuration is refused."""
    with pytest.raises(SettingsError) as caught:
        load(raw, secret_keys)
    return caught.value
