"""`bridge.json` as plain values, and the secrets it names.

Owns: reading and checking both at the start; a user's error is one sentence with its fix.
Deliberately does not: use pydantic. It would cost 10 MB of the 100 MB that bridge and gateway share, for ten fields.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

SHORTEST_SECRET_BYTES = 32
"""HS256 needs a key as long as its hash (RFC 7518, 3.2)."""


class Misconfigured(Exception):
    """One sentence: what is wrong, where, and how to fix it."""


@dataclass(frozen=True)
class JwtSettings:
    secret_file: Path
    issuer: str
    audience: str


@dataclass(frozen=True)
class StdioServer:
    """The program of one stdio backend, and the user that it runs as; `secret_files` by variable."""

    name: str
    user: int
    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    secret_files: Mapping[str, Path]


@dataclass(frozen=True)
class HttpBackendSettings:
    """The address of one HTTP backend; `waited_for`: the gateway's first start waits for it."""

    url: str
    waited_for: bool


@dataclass(frozen=True)
class GatewaySettings:
    """One gateway process: its command, its own health address, and the longest call of each of its backends."""

    name: str
    command: tuple[str, ...]
    health: tuple[str, int] | None
    backends: Mapping[str, float]


@dataclass(frozen=True)
class Settings:
    """The members of `bridge.json`. Times are seconds, sizes bytes."""

    host: str
    port: int
    path: str
    gateways: Mapping[str, GatewaySettings]
    jwt: JwtSettings
    gateway_environment_files: Mapping[str, Path]
    session_idle_seconds: float
    body_limit_bytes: int
    body_seconds: float
    allowed_hosts: frozenset[str]
    start_seconds: float
    stop_seconds: float
    call_seconds: float
    queue_length: int
    http_backends: Mapping[str, HttpBackendSettings]
    http_backends_listen: tuple[str, int]
    http_backends_seconds: float
    quiet_seconds: float
    health: tuple[str, int] | None
    probe_seconds: float
    user: int
    stdio_servers: Mapping[str, StdioServer]
    servers_folder: Path
    answer_limit_bytes: int
    predecessor_folder: Path | None
    drained_by: str | None

    @property
    def launcher_socket(self) -> Path:
        """The bridge's socket for the gateway's children (bridge/shim.py), in a folder that only its user may open."""
        return self.servers_folder / "bridge" / "launcher"


_REQUIRED = ("listen", "path", "gateways", "jwt", "allowed_hosts")
_OPTIONAL: dict[str, object] = {
    "gateway_environment_files": {},
    "session_idle_seconds": 3600,
    "body_limit_bytes": 4 * 1024 * 1024,
    "body_seconds": 30,
    "start_seconds": 120,
    # For the calls in work at a stop; a gateway itself needs 2 to 3 s more for its audit rows.
    "stop_seconds": 65,
    # For a call at a gateway whose backend is not known; and the calls that may wait for each gateway.
    "call_seconds": 65,
    "queue_length": 128,
    # Name to url and waited_for of each HTTP backend, and the adapter's own address, which the gateways' TOMLs name
    # (bridge/backends.py).
    "http_backends": {},
    "http_backends_listen": "127.0.0.1:9202",
    "http_backends_seconds": 60,
    # Without a call, until the gateway is renewed for a backend's new tools. A renewal ends the stdio servers too, with
    # what they hold between the calls of one task, such as a browser's page.
    "quiet_seconds": 60,
    # The address of /health, /ready and /metrics (bridge/health.py).
    "health_listen": None,
    # Between two probes of a backend (bridge/backend_health.py).
    "probe_seconds": 15,
    # The bridge's own user, by number; and each stdio backend's server (bridge/supervisor.py).
    "user": None,
    "stdio_servers": {},
    "servers_folder": "/tmp",
    "answer_limit_bytes": 8 * 1024 * 1024,
    # The folder of what is known of the predecessor (bridge/predecessor.py), and the handover's subject
    # (bridge/drain.py).
    "predecessor_folder": None,
    "drained_by": None,
}


def load(file: Path) -> Settings:
    """Read the configuration; raises Misconfigured."""
    document = _document(file)
    host, port = _address(file, "listen", document["listen"])
    gateways, health = document["gateways"], document["health_listen"]
    if not isinstance(gateways, dict) or not gateways:
        raise Misconfigured(f"{file}: gateways must be at least one gateway by name.")
    return Settings(
        host=host,
        port=port,
        path=str(document["path"]),
        gateways={name: _gateway(file, name, item) for name, item in cast("dict[str, Any]", gateways).items()},
        jwt=_jwt(file, document["jwt"]),
        gateway_environment_files={name: Path(at) for name, at in document["gateway_environment_files"].items()},
        session_idle_seconds=_positive(file, document, "session_idle_seconds"),
        body_limit_bytes=int(_positive(file, document, "body_limit_bytes")),
        body_seconds=_positive(file, document, "body_seconds"),
        allowed_hosts=frozenset(str(name).lower() for name in document["allowed_hosts"]),
        start_seconds=_positive(file, document, "start_seconds"),
        stop_seconds=_positive(file, document, "stop_seconds"),
        call_seconds=_positive(file, document, "call_seconds"),
        queue_length=int(_positive(file, document, "queue_length")),
        http_backends={name: _http_backend(file, name, item) for name, item in document["http_backends"].items()},
        http_backends_listen=_address(file, "http_backends_listen", document["http_backends_listen"]),
        http_backends_seconds=_positive(file, document, "http_backends_seconds"),
        quiet_seconds=_positive(file, document, "quiet_seconds"),
        health=None if health is None else _address(file, "health_listen", health),
        probe_seconds=_positive(file, document, "probe_seconds"),
        user=os.getuid() if document["user"] is None else int(document["user"]),
        stdio_servers={name: _stdio_server(file, name, item) for name, item in document["stdio_servers"].items()},
        servers_folder=Path(document["servers_folder"]),
        answer_limit_bytes=int(_positive(file, document, "answer_limit_bytes")),
        predecessor_folder=None if (folder := document["predecessor_folder"]) is None else Path(folder),
        drained_by=document["drained_by"],
    )


def read_secret(file: Path) -> str:
    """A secret file's text without the newline an editor leaves at its end; raises Misconfigured."""
    not_text = f"Secret file {file} is not text: write the secret into it in UTF-8, without zero bytes."
    try:
        text = file.read_text().rstrip("\r\n")
    except OSError as error:
        raise Misconfigured(f"Secret file {file} cannot be read ({error.strerror}): mount it for this user.") from error
    except UnicodeDecodeError:
        raise Misconfigured(not_text) from None
    if "\0" in text:
        raise Misconfigured(not_text)
    if not text:
        raise Misconfigured(f"Secret file {file} is empty: write the secret into it.")
    return text


def read_signing_secret(file: Path) -> bytes:
    """The HS256 key's raw bytes; raises Misconfigured when it is too short to be one."""
    secret = read_secret(file).encode()
    if len(secret) < SHORTEST_SECRET_BYTES:
        raise Misconfigured(
            f"The secret in {file} has {len(secret)} bytes: write one with {SHORTEST_SECRET_BYTES} or more."
        )
    return secret


def _document(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text())
    except OSError as error:
        raise Misconfigured(f"Configuration {file} cannot be read ({error.strerror}): give --config a file.") from error
    except ValueError as error:
        raise Misconfigured(f"Configuration {file} is not valid JSON ({error}): fix it.") from error
    if not isinstance(read, dict):
        raise Misconfigured(f"Configuration {file} must be one JSON object.")
    document = cast("dict[str, Any]", read)
    missing = [key for key in _REQUIRED if key not in document]
    unknown = sorted(set(document) - set(_REQUIRED) - set(_OPTIONAL))
    if missing or unknown:
        problems = [*(f"{key} is missing" for key in missing), *(f"{key} is unknown" for key in unknown)]
        raise Misconfigured(f"Configuration {file}: {', '.join(problems)}.")
    return {**_OPTIONAL, **document}


def _jwt(file: Path, value: object) -> JwtSettings:
    table = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    if set(table) != {"secret_file", "issuer", "audience"}:
        raise Misconfigured(f"{file}: jwt must hold secret_file, issuer and audience, and nothing else.")
    return JwtSettings(Path(str(table["secret_file"])), str(table["issuer"]), str(table["audience"]))


def _gateway(file: Path, name: str, item: Mapping[str, Any]) -> GatewaySettings:
    if set(item) != {"command", "health", "backends"}:
        raise Misconfigured(f"{file}: gateways.{name} must hold command, health and backends, and nothing else.")
    command, health = item["command"], item["health"]
    if not isinstance(command, list) or not command:
        raise Misconfigured(f"{file}: gateways.{name}.command must be the gateway's command as a list of arguments.")
    return GatewaySettings(
        name,
        tuple(str(argument) for argument in cast("list[object]", command)),
        _address(file, f"gateways.{name}.health", health) if health is not None else None,
        {backend: _positive(file, item["backends"], backend) for backend in item["backends"]},
    )


def _http_backend(file: Path, name: str, item: Mapping[str, Any]) -> HttpBackendSettings:
    if set(item) != {"url", "waited_for"}:
        raise Misconfigured(f"{file}: http_backends.{name} must hold url and waited_for, and nothing else.")
    return HttpBackendSettings(str(item["url"]), bool(item["waited_for"]))


def _stdio_server(file: Path, name: str, item: Mapping[str, Any]) -> StdioServer:
    if set(item) != {"user", "command", "arguments", "environment", "secret_files"}:
        raise Misconfigured(
            f"{file}: stdio_servers.{name} must hold user, command, arguments, environment and secret_files."
        )
    files = {variable: Path(at) for variable, at in item["secret_files"].items()}
    arguments = tuple(str(argument) for argument in item["arguments"])
    return StdioServer(name, int(item["user"]), str(item["command"]), arguments, dict(item["environment"]), files)


def _address(file: Path, key: str, value: object) -> tuple[str, int]:
    host, _, port = str(value).rpartition(":")
    if not port.isdigit() or not host:
        raise Misconfigured(f"{file}: {key} must be ADDRESS:PORT, not {value!r}.")
    return host.strip("[]"), int(port)


def _positive(file: Path, document: Mapping[str, Any], key: str) -> float:
    value = document[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
        raise Misconfigured(f"{file}: {key} must be a number above 0, not {value!r}.")
    return float(value)
