"""`bridge.json` as plain values, and the secrets it names.

Owns: reading and checking both at the start; a user's error is one sentence with its fix.
Deliberately does not: use pydantic. It would cost 10 MB of the 100 MB that bridge and gateway share, for ten fields.
"""

from __future__ import annotations

import json
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
class Settings:
    """The members of `bridge.json`. Times are seconds, sizes bytes."""

    host: str
    port: int
    path: str
    gateway: tuple[str, ...]
    jwt: JwtSettings
    gateway_environment_files: Mapping[str, Path]
    session_idle_seconds: float
    body_limit_bytes: int
    allowed_hosts: frozenset[str]
    start_seconds: float
    stop_seconds: float
    http_backends: Mapping[str, tuple[str, int]]
    http_backends_seconds: float
    health: tuple[str, int] | None


_REQUIRED = ("listen", "path", "gateway", "jwt", "allowed_hosts")
_OPTIONAL: dict[str, object] = {
    "gateway_environment_files": {},
    "session_idle_seconds": 3600,
    "body_limit_bytes": 4 * 1024 * 1024,
    "start_seconds": 120,
    # Docker waits 10 s before it kills; the gateway itself needs 2 to 3 s for its audit rows.
    "stop_seconds": 8,
    # Name to ADDRESS:PORT of each HTTP backend, and the gateway's own health address (bridge/backends.py).
    "http_backends": {},
    "http_backends_seconds": 60,
    "health_listen": None,
}


def load(file: Path) -> Settings:
    """Read the configuration; raises Misconfigured."""
    document = _document(file)
    host, port = _address(file, "listen", document["listen"])
    command, health = document["gateway"], document["health_listen"]
    if not isinstance(command, list) or not command:
        raise Misconfigured(f"{file}: gateway must be the gateway's command as a list of arguments.")
    return Settings(
        host=host,
        port=port,
        path=str(document["path"]),
        gateway=tuple(str(argument) for argument in cast("list[object]", command)),
        jwt=_jwt(file, document["jwt"]),
        gateway_environment_files={name: Path(at) for name, at in document["gateway_environment_files"].items()},
        session_idle_seconds=_positive(file, document, "session_idle_seconds"),
        body_limit_bytes=int(_positive(file, document, "body_limit_bytes")),
        allowed_hosts=frozenset(str(name).lower() for name in document["allowed_hosts"]),
        start_seconds=_positive(file, document, "start_seconds"),
        stop_seconds=_positive(file, document, "stop_seconds"),
        http_backends={name: _address(file, name, at) for name, at in document["http_backends"].items()},
        http_backends_seconds=_positive(file, document, "http_backends_seconds"),
        health=None if health is None else _address(file, "health_listen", health),
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
