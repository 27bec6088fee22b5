"""The servers of the stdio backends, described once: for the gateway's TOML, `bridge.json` and the secret files.

Owns: each server's user on the container, and the name of each of its secret files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from settings import Backend, Settings
from settings.names import SENTINEL_USER

FOLDER = "/tmp"
"""The container's writable folder, with the servers' own ones below it."""
SOCKET = f"{FOLDER}/bridge/launcher"
LAUNCHER = "/usr/local/bin/sentinel-launcher"
"""The gateway's child for every stdio backend (bridge/shim.py), which the bridge's image has."""
_FIRST_USER = 100
"""Users of the servers, counted from the gateway's own."""


@dataclass(frozen=True)
class StdioServer:
    """One server; `secrets` maps each variable that has a value to its secret key."""

    backend: Backend
    user: int
    secrets: Mapping[str, str]

    def file(self, variable: str) -> str:
        """The name of a secret's file, on the host and in the container."""
        return f"{self.backend.name}.{variable}"

    def document(self, folder: str) -> dict[str, object]:
        """The server in `bridge.json`; `folder` has the secret files."""
        return {
            "user": self.user,
            "command": self.backend.command,
            "arguments": list(self.backend.args),
            "environment": dict(self.backend.environment),
            "secret_files": {variable: f"{folder}/{self.file(variable)}" for variable in sorted(self.secrets)},
        }


def stdio_servers(settings: Settings) -> Sequence[StdioServer]:
    """Every stdio backend's server behind the bridge; none where the operator's image serves alone."""
    if settings.sentinel.serve != "bridge":
        return ()
    backends = [backend for backend in settings.backends if backend.kind == "stdio"]
    return [
        StdioServer(
            backend,
            SENTINEL_USER + _FIRST_USER + number,
            {name: key for name, key in backend.environment_secrets.items() if settings.secret(key) is not None},
        )
        for number, backend in enumerate(backends)
    ]
