"""The configuration of Sentinel's processes and of the bridge in front of them: their TOMLs and `bridge.json`.

Formats: Sentinel's configuration types (`reference/sentinel.md`); `bridge.json` is read by `bridge/configuration.py`.

Deliberately does not: hold a secret. Both files name environment variables or files that do.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tomli_w

from components.sentinel.stdio_servers import FOLDER, LAUNCHER, SOCKET, StdioServer
from settings import Backend
from settings.backends import by_process
from settings.gateway_sections import Sentinel
from settings.limits import ANSWER_LIMIT_BYTES, BODY_LIMIT_BYTES, CALL_MARGIN_SECONDS, SESSION_IDLE_SECONDS
from settings.names import SENTINEL_USER

ALIAS = "sentinel-gateway"
"""Name of the gateway on the product's networks, the same for every version."""
ISSUER = "sentinel-gateway"
AUDIENCE = "sentinel-api"
ROLE = "admin"
"""The one role: it may call every tool that the kill switch does not disable."""
SECRETS = "/run/secrets"
CONFIGURATION = "/etc/sentinel"
PREDECESSOR = "/run/predecessor"
"""The folder with what the bridge knows of the predecessor, which the host changes while it runs."""
HANDOVER_SUBJECT = "sentinel-cutover"
"""The subject of the handover's token, which alone may drain the bridge."""
_IDEMPOTENT_RETRIES = 3
_FIRST_INNER_PORT = 9202
"""Of the ports inside the container: the bridge's endpoints for the gateways, then each gateway's health address."""
_DATABASE_CONNECTIONS = 5


def processes(settings: Sentinel, backends: Sequence[Backend]) -> Mapping[str, Sequence[Backend]]:
    """The backends of each gateway process; without the bridge there is one."""
    return by_process(backends) if settings.serve == "bridge" else {"": backends}


def sentinel_tomls(
    settings: Sentinel, backends: Sequence[Backend], servers: Sequence[StdioServer]
) -> Mapping[str, str]:
    """Each gateway process's own configuration, whole, by the name of its file."""
    started = _at_start(settings, backends, servers)
    return {file: tomli_w.dumps(tables | live(settings)) for file, tables in started.items()}


def start_tomls(settings: Sentinel, backends: Sequence[Backend], servers: Sequence[StdioServer]) -> Mapping[str, str]:
    """The part that a gateway reads at its start only: a change of it makes a new container."""
    return {file: tomli_w.dumps(tables) for file, tables in _at_start(settings, backends, servers).items()}


def longest_call_seconds(backends: Sequence[Backend]) -> int:
    """The longest time that a gateway may take for one call."""
    return max(map(_call_seconds, backends), default=CALL_MARGIN_SECONDS)


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


def _at_start(
    settings: Sentinel, backends: Sequence[Backend], servers: Sequence[StdioServer]
) -> Mapping[str, dict[str, Any]]:
    return {
        _toml(process): _process_tables(settings, own, servers, _health_address(settings, number))
        for number, (process, own) in enumerate(processes(settings, backends).items())
    }


def _process_tables(
    settings: Sentinel, backends: Sequence[Backend], servers: Sequence[StdioServer], health: str
) -> dict[str, Any]:
    launched = {server.backend.name for server in servers}
    return {
        "gateway": {
            "listen": f"0.0.0.0:{settings.port}",
            "health_listen": health,
            "log_level": settings.log_level,
            "audit_enabled": True,
        },
        "auth": {"jwt_secret_env": "JWT_SECRET_KEY", "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE},
        "postgres": {"url_env": "DATABASE_URL", "max_connections": _DATABASE_CONNECTIONS},
        "rbac": {"roles": {ROLE: {"permissions": ["*"], "denied_tools": []}}},
        "backends": [_backend(settings, backend, launched) for backend in backends],
    }


def bridge_json(
    settings: Sentinel, backends: Sequence[Backend], variables: Sequence[str], servers: Sequence[StdioServer]
) -> str:
    """The bridge's configuration; `variables` are environment variables of the gateway, each a file of that name."""
    names = {ALIAS, "127.0.0.1", "localhost"}
    # A backend that needs the internet is unreachable while the container is in standby.
    http_backends = {
        backend.name: {"url": backend.url, "waited_for": not backend.needs_internet}
        for backend in backends
        if backend.url
    }
    waited_for = any(backend["waited_for"] for backend in http_backends.values())
    longest = longest_call_seconds(backends)
    # Waiting for backends and the start share the container's time, so that the bridge can report which of them failed.
    start_seconds = settings.start_seconds - (settings.backends_seconds if waited_for else 0)
    return json.dumps(
        {
            "listen": f"0.0.0.0:{settings.port}",
            "path": "/mcp",
            "gateways": {
                process: {
                    "command": ["sentinel-gateway", "--config", f"{CONFIGURATION}/{_toml(process)}"],
                    "health": _health_address(settings, number),
                    "backends": {backend.name: _call_seconds(backend) for backend in own},
                }
                for number, (process, own) in enumerate(processes(settings, backends).items())
            },
            "jwt": {"secret_file": f"{SECRETS}/JWT_SECRET_KEY", "issuer": ISSUER, "audience": AUDIENCE},
            "gateway_environment_files": {variable: f"{SECRETS}/{variable}" for variable in sorted(variables)},
            "start_seconds": start_seconds,
            "stop_seconds": longest,
            "call_seconds": longest,
            "probe_seconds": settings.backend_check_seconds,
            "http_backends": http_backends,
            "http_backends_listen": f"127.0.0.1:{_adapter_port(settings)}",
            "http_backends_seconds": settings.backends_seconds,
            "health_listen": f"0.0.0.0:{settings.health_port}",
            "session_idle_seconds": SESSION_IDLE_SECONDS,
            "body_limit_bytes": BODY_LIMIT_BYTES,
            "user": SENTINEL_USER,
            "stdio_servers": {server.backend.name: server.document(SECRETS) for server in servers},
            "servers_folder": FOLDER,
            "answer_limit_bytes": ANSWER_LIMIT_BYTES,
            "predecessor_folder": PREDECESSOR,
            "drained_by": HANDOVER_SUBJECT,
            "allowed_hosts": sorted(f"{name}:{settings.port}" for name in names),
        },
        indent=2,
    )


def _toml(process: str) -> str:
    return f"sentinel-{process}.toml" if process else "sentinel.toml"


def _health_address(settings: Sentinel, number: int) -> str:
    """That of the process with this number; without the bridge it is the container's, on all of its networks."""
    if settings.serve == "native":
        return f"0.0.0.0:{settings.health_port}"
    return f"127.0.0.1:{_inner_port(settings, 1 + number)}"


def _adapter_port(settings: Sentinel) -> int:
    return _inner_port(settings, 0)


def _inner_port(settings: Sentinel, number: int) -> int:
    ports = (port for port in itertools.count(_FIRST_INNER_PORT) if port not in (settings.port, settings.health_port))
    return next(itertools.islice(ports, number, None))


def _call_seconds(backend: Backend) -> int:
    """The longest time that the gateway may take for a call of this backend."""
    return backend.timeout_seconds * (1 + _retries(backend)) + CALL_MARGIN_SECONDS


def _retries(backend: Backend) -> int:
    return _IDEMPOTENT_RETRIES if backend.idempotent else 0


def _backend(settings: Sentinel, backend: Backend, launched: Collection[str]) -> dict[str, object]:
    common: dict[str, object] = {
        "name": backend.name,
        "type": backend.kind,
        "timeout_secs": backend.timeout_seconds,
        "retries": _retries(backend),
    }
    if backend.kind == "http":
        # The bridge keeps the session with the backend (bridge/backends.py).
        adapted = f"http://127.0.0.1:{_adapter_port(settings)}/{backend.name}/mcp"
        return {**common, "url": adapted if settings.serve == "bridge" else backend.url}
    if backend.name in launched:
        # The launcher starts its server again; a second attempt of the gateway's own would only delay its start.
        return {**common, "command": LAUNCHER, "args": [backend.name, SOCKET], "max_restarts": 1}
    return {
        **common,
        "command": backend.command,
        "args": list(backend.args),
        "env": dict(backend.environment),
        "restart_on_exit": True,
    }
