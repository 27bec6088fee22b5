"""The request of every `handover` verb, and in it the record of the predecessor, which `predecessor record` makes.

The journal keeps the request, so that a later run can finish or undo a killed one. It holds no token, only the token
file's path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hostctl.core.errors import Refusal

RELEASES = ("pause", "stop")
KINDS = ("contextforge", "absent")


@dataclass(frozen=True)
class RecordedNetwork:
    """A network of the predecessor as it was before anything changed."""

    name: str
    aliases: tuple[str, ...] = ()
    internal: bool = False
    address: str = ""


@dataclass(frozen=True)
class RecordedPort:
    """A declared port of the predecessor, such as RecordedPort("4444/tcp", "127.0.0.1", 9200)."""

    inside: str
    address: str
    outside: int


@dataclass(frozen=True)
class RecordedContainer:
    """A container of the predecessor as it was before anything changed; `restart` is Docker's own restart policy."""

    name: str = ""
    id: str = ""
    image: str = ""
    running: bool = True
    restart: dict[str, Any] = field(default_factory=dict[str, Any])
    networks: tuple[RecordedNetwork, ...] = ()
    ports: tuple[RecordedPort, ...] = ()

    @property
    def restart_policy(self) -> tuple[str, int]:
        return self.restart.get("Name") or "no", self.restart.get("MaximumRetryCount") or 0


@dataclass(frozen=True)
class PredecessorRecord:
    """The containers and volumes that a rollback needs; `kind` is "absent" where no gateway ran before Sentinel."""

    kind: str = "absent"
    gateway: RecordedContainer = field(default_factory=RecordedContainer)
    containers: tuple[RecordedContainer, ...] = ()
    volumes: tuple[str, ...] = ()
    port: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise Refusal("'kind' in 'predecessor' must be \"contextforge\" or \"absent\"")
        if self.kind != "absent" and not (self.gateway.name and self.gateway.id):
            raise Refusal("'gateway' in 'predecessor' must have a 'name' and an 'id'")

    @property
    def server(self) -> RecordedContainer | None:
        """The container that served, None for kind "absent"."""
        return None if self.kind == "absent" else self.gateway

    @property
    def siblings(self) -> tuple[RecordedContainer, ...]:
        """The project's other containers, in the order in which they start."""
        return tuple(container for container in self.containers if container.name != self.gateway.name)


@dataclass(frozen=True)
class SentinelProbe:
    """The MCP call that Sentinel must answer well."""

    path: str = "/mcp"
    token_file: str = ""


@dataclass(frozen=True)
class PredecessorProbe:
    """The GET that the predecessor must answer well."""

    path: str = "/health"


@dataclass(frozen=True)
class Limits:
    """The longest waits: for Sentinel's answer, for the predecessor's, and for a container's own shutdown."""

    answer_seconds: float = 10
    predecessor_seconds: float = 60
    drain_seconds: float = 10


@dataclass(frozen=True)
class HandoverRequest:
    """`container` is Sentinel's. It publishes `port` on the network `edge`; `also` are further networks that it joins
    once it serves."""

    edge: str
    internal: str
    port: int
    folder: str
    container: str = ""
    aliases: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    predecessor: PredecessorRecord = field(default_factory=PredecessorRecord)
    release: str = "pause"
    probe: SentinelProbe = field(default_factory=SentinelProbe)
    predecessor_probe: PredecessorProbe = field(default_factory=PredecessorProbe)
    limits: Limits = field(default_factory=Limits)
    docker_socket: str = ""
    force: bool = False
    """The operator rolls back even where ContextForge fails a gate."""

    def __post_init__(self) -> None:
        if self.release not in RELEASES:
            raise Refusal('\'release\' must be "pause" or "stop"')
        if not 1 <= self.port <= 65535:
            raise Refusal("'port' must be from 1 to 65535")
        if not self.folder.startswith("/"):
            raise Refusal("'folder' is a relative path: give an absolute one")
