"""The gateway's TOML file as plain values.

Owns: reading the file, its defaults, and saying what is wrong with it in one sentence.
Deliberately does not: read a secret; the file only names the environment variables that hold them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from .problems import StartRefused

Table = Mapping[str, Any]


@dataclass(frozen=True)
class BackendSettings:
    """One `[[backends]]` table. Times are seconds."""

    name: str
    kind: str
    url: str = ""
    command: str = ""
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout_seconds: float = 60.0
    retries: int = 3
    restart_on_exit: bool = True
    max_restarts: int = 5
    health_interval_seconds: float = 60.0
    breaker_threshold: int = 5
    breaker_recovery_seconds: float = 30.0


@dataclass(frozen=True)
class Limits:
    """The part that SIGHUP reloads, and nothing else: kill switch and rate limits (requests per minute)."""

    disabled_tools: frozenset[str] = frozenset()
    disabled_backends: frozenset[str] = frozenset()
    default_per_minute: int = 1000
    per_tool: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Role:
    permissions: frozenset[str]
    denied_tools: frozenset[str]

    def may(self, permission: str) -> bool:
        return "*" in self.permissions or permission in self.permissions


@dataclass(frozen=True)
class Configuration:
    health_listen: str
    audit_enabled: bool
    secret_variable: str
    issuer: str
    audience: str
    database_variable: str
    max_connections: int
    backends: tuple[BackendSettings, ...]
    roles: Mapping[str, Role]
    limits: Limits


def load(path: Path) -> Configuration:
    """Reads the file; raises StartRefused with one sentence when it cannot be used."""
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise StartRefused(f"configuration {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartRefused(f"configuration {path} is not valid TOML: {error}") from error
    gateway, auth, postgres = (_table(document, key) for key in ("gateway", "auth", "postgres"))
    return Configuration(
        health_listen=str(gateway.get("health_listen", "127.0.0.1:9201")),
        audit_enabled=bool(gateway.get("audit_enabled", True)),
        secret_variable=str(auth.get("jwt_secret_env", "JWT_SECRET_KEY")),
        issuer=str(auth.get("jwt_issuer", "sentinel-gateway")),
        audience=str(auth.get("jwt_audience", "sentinel-api")),
        database_variable=str(postgres.get("url_env", "DATABASE_URL")),
        max_connections=int(postgres.get("max_connections", 10)),
        backends=tuple(_backend(item) for item in cast("list[Table]", document.get("backends", []))),
        roles={name: _role(item) for name, item in _table(_table(document, "rbac"), "roles").items()},
        limits=_limits(document),
    )


def _table(document: Table, key: str) -> Table:
    value = document.get(key, {})
    if not isinstance(value, dict):
        raise StartRefused(f"configuration: [{key}] must be a table")
    return cast("Table", value)


def _backend(item: Table) -> BackendSettings:
    name, kind = str(item.get("name", "")), str(item.get("type", ""))
    if not name or kind not in ("http", "stdio"):
        raise StartRefused(f"configuration: backend {name!r} needs a name and a type of http or stdio, not {kind!r}")
    needed = "url" if kind == "http" else "command"
    if not item.get(needed):
        raise StartRefused(f"configuration: backend {name!r} of type {kind} needs {needed}")
    standard = BackendSettings(name, kind)
    return BackendSettings(
        name=name,
        kind=kind,
        url=str(item.get("url", "")),
        command=str(item.get("command", "")),
        arguments=tuple(str(value) for value in item.get("args", ())),
        environment={key: str(value) for key, value in _table(item, "env").items()},
        timeout_seconds=float(item.get("timeout_secs", standard.timeout_seconds)),
        retries=int(item.get("retries", standard.retries)),
        restart_on_exit=bool(item.get("restart_on_exit", standard.restart_on_exit)),
        max_restarts=int(item.get("max_restarts", standard.max_restarts)),
        health_interval_seconds=float(item.get("health_interval_secs", standard.health_interval_seconds)),
        breaker_threshold=int(item.get("circuit_breaker_threshold", standard.breaker_threshold)),
        breaker_recovery_seconds=float(item.get("circuit_breaker_recovery_secs", standard.breaker_recovery_seconds)),
    )


def _role(item: Table) -> Role:
    return Role(frozenset(item.get("permissions", ())), frozenset(item.get("denied_tools", ())))


def _limits(document: Table) -> Limits:
    rates, switch = _table(document, "rate_limits"), _table(document, "kill_switch")
    return Limits(
        disabled_tools=frozenset(switch.get("disabled_tools", ())),
        disabled_backends=frozenset(switch.get("disabled_backends", ())),
        default_per_minute=int(rates.get("default_rpm", Limits().default_per_minute)),
        per_tool={name: int(value) for name, value in _table(rates, "per_tool").items()},
    )
