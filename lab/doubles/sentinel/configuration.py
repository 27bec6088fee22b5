"""The gateway's TOML file as plain values.

Owns: reading the file, its defaults, and refusing one with a missing table or a value of the wrong type.
Deliberately does not: read a secret (the file names the environment variables that hold them), or mind unknown keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .problems import StartRefused

_NEEDED: Any = object()


@dataclass(frozen=True)
class BackendSettings:
    """One `[[backends]]` table. Times are whole seconds."""

    name: str
    kind: str
    url: str = ""
    command: str = ""
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout_seconds: int = 60
    retries: int = 3
    max_restarts: int = 5
    breaker_threshold: int = 5
    breaker_recovery_seconds: int = 30


@dataclass(frozen=True)
class Limits:
    """The part that SIGHUP reloads, and nothing else: kill switch and rate limits (requests per minute)."""

    disabled_tools: frozenset[str]
    disabled_backends: frozenset[str]
    default_per_minute: int
    per_tool: Mapping[str, int]


@dataclass(frozen=True)
class Role:
    permissions: frozenset[str] = frozenset()
    denied_tools: frozenset[str] = frozenset()

    def may_call(self, tool: str) -> bool:
        return tool not in self.denied_tools and bool(self.permissions & {"*", "tools.execute"})

    def may_see(self, tool: str) -> bool:
        return tool not in self.denied_tools and bool(self.permissions & {"*", "tools.execute", "tools.read"})


@dataclass(frozen=True)
class Configuration:
    listen: str
    health_listen: str
    log_level: str
    audit_enabled: bool
    secret_variable: str
    issuer: str
    audience: str
    database_variable: str
    max_connections: int
    backends: tuple[BackendSettings, ...]
    roles: Mapping[str, Role]
    limits: Limits


class _Wrong(Exception):
    """A value that does not fit, with the key beside which it stands."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key = key


def load(path: str) -> Configuration:
    """Reads the file; raises StartRefused when it cannot be used."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        cause = f"{error.strerror} (os error {error.errno})"
        raise StartRefused(f"Failed to read config file: {path}", cause) from error
    except UnicodeDecodeError as error:
        raise StartRefused(f"Failed to read config file: {path}", "stream did not contain valid UTF-8") from error
    try:
        settings = _configuration(_Table(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        raise StartRefused(f"Failed to parse config file: {path}", _shown(text, place, str(error))) from error
    except _Wrong as error:
        raise StartRefused(f"Failed to parse config file: {path}", _shown(text, error.key, str(error))) from error
    names = [backend.name for backend in settings.backends]
    for backend in settings.backends:
        if names.count(backend.name) > 1:
            raise StartRefused(f"Duplicate backend name: {backend.name}")
        if backend.kind == "http" and not backend.url:
            raise StartRefused(f"HTTP backend '{backend.name}' must have a 'url' field")
        if backend.kind == "stdio" and not backend.command:
            raise StartRefused(f"stdio backend '{backend.name}' must have a 'command' field")
    return settings


class _Table:
    """A table whose members are taken by name and type."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def text(self, name: str, default: Any = _NEEDED) -> str:
        return self._member(name, str, default)

    def flag(self, name: str, default: bool) -> bool:
        return self._member(name, bool, default)

    def number(self, name: str, default: int) -> int:
        value = self._member(name, int, default)
        if isinstance(value, bool) or value < 0:
            raise _Wrong(name, f"invalid value for `{name}`, expected a whole number")
        return value

    def table(self, name: str, default: Any = _NEEDED) -> _Table:
        return _Table(self._member(name, dict, {} if default is None else default))

    def tables(self, name: str) -> list[_Table]:
        return [_Table(_checked(name, item, dict)) for item in self._member(name, list, [])]

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(_checked(name, item, str) for item in self._member(name, list, []))

    def names(self) -> list[str]:
        return list(self._members)

    def _member(self, name: str, kind: type, default: Any) -> Any:
        if name not in self._members:
            if default is _NEEDED:
                raise _Wrong("", f"missing field `{name}`")
            return default
        return _checked(name, self._members[name], kind)


def _checked(name: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise _Wrong(name, f"invalid type for `{name}`, expected {kind.__name__}")
    return value


def _configuration(document: _Table) -> Configuration:
    gateway, auth, postgres = (document.table(name) for name in ("gateway", "auth", "postgres"))
    roles = document.table("rbac", None).table("roles", None)
    rates, switch = document.table("rate_limits", None), document.table("kill_switch", None)
    per_tool = rates.table("per_tool", None)
    return Configuration(
        listen=gateway.text("listen", "127.0.0.1:9200"),
        health_listen=gateway.text("health_listen", "127.0.0.1:9201"),
        log_level=gateway.text("log_level", "info"),
        audit_enabled=gateway.flag("audit_enabled", True),
        secret_variable=auth.text("jwt_secret_env"),
        issuer=auth.text("jwt_issuer", "sentinel-gateway"),
        audience=auth.text("jwt_audience", "sentinel-api"),
        database_variable=postgres.text("url_env"),
        max_connections=postgres.number("max_connections", 10),
        backends=tuple(_backend(item) for item in document.tables("backends")),
        roles={name: _role(roles.table(name)) for name in roles.names()},
        limits=Limits(
            frozenset(switch.texts("disabled_tools")),
            frozenset(switch.texts("disabled_backends")),
            rates.number("default_rpm", 1000),
            {name: per_tool.number(name, 0) for name in per_tool.names()},
        ),
    )


def _backend(item: _Table) -> BackendSettings:
    kind = item.text("type")
    if kind not in ("http", "stdio"):
        raise _Wrong("type", f"unknown variant `{kind}`, expected `http` or `stdio`")
    environment, standard = item.table("env", None), BackendSettings("", kind)
    item.flag("restart_on_exit", False)
    item.number("health_interval_secs", 0)
    return BackendSettings(
        name=item.text("name"),
        kind=kind,
        url=item.text("url", ""),
        command=item.text("command", ""),
        arguments=item.texts("args"),
        environment={name: environment.text(name) for name in environment.names()},
        timeout_seconds=item.number("timeout_secs", standard.timeout_seconds),
        retries=item.number("retries", standard.retries),
        max_restarts=item.number("max_restarts", standard.max_restarts),
        breaker_threshold=item.number("circuit_breaker_threshold", standard.breaker_threshold),
        breaker_recovery_seconds=item.number("circuit_breaker_recovery_secs", standard.breaker_recovery_seconds),
    )


def _role(item: _Table) -> Role:
    return Role(frozenset(item.texts("permissions")), frozenset(item.texts("denied_tools")))


def _shown(text: str, place: re.Match[str] | str | None, what: str) -> str:
    """The cause with its place in the file; a missing member stands nowhere, which is its first line."""
    line, column = 1, 1
    if isinstance(place, re.Match):
        line, column = int(place[1]), int(place[2])
    elif place:
        for number, row in enumerate(text.splitlines(), 1):
            if found := re.match(rf"\s*{re.escape(place)}\s*=\s*", row):
                line, column = number, found.end() + 1
    row = text.splitlines()[line - 1] if line <= len(text.splitlines()) else ""
    edge = " " * len(str(line))
    return (
        f"TOML parse error at line {line}, column {column}\n    {edge} |\n    {line} | {row}\n"
        f"    {edge} | {' ' * (column - 1)}^\n    {what}"
    )
