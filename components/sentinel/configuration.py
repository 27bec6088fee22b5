"""The configuration of Sentinel and of the bridge in front of it: `sentinel.toml` and `bridge.json`.

Formats: Sentinel's configuration types (`reference/sentinel.md`); `bridge.json` is read by `bridge/configuration.py`.

Deliberately does not: hold a secret. Both files name environment variables or files that do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import tomli_w

from settings import Backend
from settings.gateway_sections import Sentinel
from settings.limits import BODY_LIMIT_BYTES

__all__ = [
    "ALIAS",
    "AUDIENCE",
    "CONFIGURATION",
    "ISSUER",
    "ROLE",
    "SECRETS",
    "bridge_json",
    "live",
    "sentinel_toml",
    "start_toml",
]

ALIAS = "sentinel-gateway"
"""Name of the gateway on the product's networks, the same for every version."""
ISSUER = "sentinel-gateway"
AUDIENCE = "sentinel-api"
ROLE = "admin"
"""The one role: it may call every tool that the kill switch does not disable."""
SECRETS = "/run/secrets"
CONFIGURATION = "/etc/sentinel"
_BACKEND_RETRIES = 3
_DATABASE_CONNECTIONS = 5


def sentinel_toml(settings: Sentinel, backends: Sequence[Backend]) -> str:
    """The gateway's own configuration, whole."""
    return tomli_w.dumps(_at_start(settings, backends) | live(settings))


def start_toml(settings: Sentinel, backends: Sequence[Backend]) -> str:
    """The part that the gateway reads at its start only: a change of it makes a new container."""
    return tomli_w.dumps(_at_start(settings, backends))


def live(settings: Sentinel) -> dict[str, Any]:
    """The tables that the gateway reads again on SIGHUP, and no others."""
    return {
        "kill_switch": {
            "disabled_tools": list(settings.kill_switch.disabled_tools),
            "disabled_backends": list(settings.kill_switch.disabled_backends),
        },
        "rate_limits": {
            "default_rpm": settings.rate_limits.default_rpm,
            "per_tool": dict(settings.rate_limits.per_tool),
        },
    }


def _at_start(settings: Sentinel, backends: Sequence[Backend]) -> dict[str, Any]:
    # These addresses are inside the container, so they listen on all of its networks.
    return {
        "gateway": {
            "listen": f"0.0.0.0:{settings.port}",
            "health_listen": f"0.0.0.0:{settings.health_port}",
            "log_level": settings.log_level,
            "audit_enabled": settings.audit_enabled,
        },
        "auth": {"jwt_secret_env": "JWT_SECRET_KEY", "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE},
        "postgres": {"url_env": "DATABASE_URL", "max_connections": _DATABASE_CONNECTIONS},
        "rbac": {"roles": {ROLE: {"permissions": ["*"], "denied_tools": []}}},
        "backends": [_backend(backend, settings.backend_check_seconds) for backend in backends],
    }


def bridge_json(settings: Sentinel, backends: Sequence[Backend], variables: Sequence[str]) -> str:
    """The bridge's configuration; `variables` are environment variables of the gateway, each a file of that name."""
    names = {ALIAS, "127.0.0.1", "localhost"}
    # A backend that needs the internet is unreachable while the container is in standby.
    waited_for = {
        backend.name: _address(backend.url) for backend in backends if backend.url and not backend.needs_internet
    }
    # Waiting for backends and the start share the container's time, so that the bridge can report which of them failed.
    start_seconds = settings.start_seconds - (settings.backends_seconds if waited_for else 0)
    return json.dumps(
        {
            "listen": f"0.0.0.0:{settings.port}",
            "path": "/mcp",
            "gateway": ["sentinel-gateway", "--config", f"{CONFIGURATION}/sentinel.toml"],
            "jwt": {"secret_file": f"{SECRETS}/JWT_SECRET_KEY", "issuer": ISSUER, "audience": AUDIENCE},
            "gateway_environment_files": {variable: f"{SECRETS}/{variable}" for variable in sorted(variables)},
            "start_seconds": start_seconds,
            "stop_seconds": settings.drain_seconds,
            "http_backends": waited_for,
            "http_backends_seconds": settings.backends_seconds,
            "health_listen": f"0.0.0.0:{settings.health_port}",
            "session_idle_seconds": settings.session_idle_seconds,
            "body_limit_bytes": BODY_LIMIT_BYTES,
            "allowed_hosts": sorted(f"{name}:{settings.port}" for name in names),
        },
        indent=2,
    )


def _address(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _backend(backend: Backend, check_seconds: float) -> dict[str, object]:
    common: dict[str, object] = {
        "name": backend.name,
        "type": backend.kind,
        "timeout_secs": backend.timeout_seconds,
        "retries": _BACKEND_RETRIES,
        "health_interval_secs": check_seconds,
    }
    if backend.kind == "http":
        return {**common, "url": backend.url}
    return {
        **common,
        "command": backend.command,
        "args": list(backend.args),
        "env": dict(backend.environment),
        "restart_on_exit": True,
    }
