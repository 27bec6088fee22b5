"""The request of `host inspect`: the parts of the settings that the host must be able to meet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NamedPort:
    """A loopback port of the stack, by its configuration key."""

    key: str
    port: int


@dataclass(frozen=True)
class NamedScript:
    """A script of the operator's, by its configuration key."""

    key: str
    path: str


@dataclass(frozen=True)
class InspectRequest:
    """`networks` are those of the host that Sentinel joins; `backups`, `escalation`, `scheduler` and `n8n` are empty
    where nothing needs them."""

    folder: str
    docker_socket: str = ""
    gateway: str = ""
    ports: tuple[NamedPort, ...] = ()
    networks: tuple[str, ...] = ()
    scripts: tuple[NamedScript, ...] = ()
    claude_file: str = ""
    escalation: str = ""
    scheduler: str = ""
    cron_folder: str = "/etc/cron.d"
    n8n: str = ""
    backups: str = ""
