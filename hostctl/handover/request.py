"""The request of every `handover` verb, and in it the record of the predecessor, which `predecessor record` makes.

The journal keeps the request, so that a later run can finish or undo a killed one. It holds no token, only the token
file's path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.grace import GraceRequest
from hostctl.mcp.probe import Probe

KEEPS = ("standby", "stopped")
KINDS = ("contextforge", "absent")


@dataclass(frozen=True)
class RecordedNetwork:
    """A network of the predecessor as it was before anything changed; `endpoint` as in `containers.Attachment`."""

    name: str
    aliases: tuple[str, ...] = ()
    internal: bool = False
    address: str = ""
    endpoint: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def fixed_addresses(self) -> tuple[str, ...]:
        """The IPv4 and IPv6 address that were configured."""
        configured = table(self.endpoint.get("IPAMConfig"))
        return tuple(configured[key] for key in ("IPv4Address", "IPv6Address") if configured.get(key))


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
    """The longest waits: for Sentinel's answer, for the predecessor's or that of a Sentinel that was started, for a
    container's own shutdown, and for calls that are under way."""

    answer_seconds: float = 10
    predecessor_seconds: float = 60
    drain_seconds: float = 10
    calls_seconds: float = 0


@dataclass(frozen=True)
class RollbackGates:
    """The folders of the baseline and of Claude's record, the backends' probes, and the seconds for one answer."""

    baseline_folder: str = ""
    claude_folder: str = ""
    probes: tuple[Probe, ...] = ()
    seconds: float = 10.0


@dataclass(frozen=True)
class RecoverRequest:
    """The journal's folder; the request itself is in the journal."""

    folder: str
    docker_socket: str = ""

    def __post_init__(self) -> None:
        if not self.folder.startswith("/"):
            raise Refusal("'folder' is a relative path: give an absolute one")


@dataclass(frozen=True)
class HandoverRequest:
    """`container` is Sentinel's. It publishes `port` on the network `edge` and stands by on `internal`; `also` are
    further networks that it joins once it serves. The predecessor stands by on the network `standby`, or is stopped
    after the handover where `keep` says so. With `force` a rollback asks no gates. A cutover from the predecessor
    begins `grace`, where that has a folder."""

    edge: str
    internal: str
    port: int
    folder: str
    container: str = ""
    aliases: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    predecessor: PredecessorRecord = field(default_factory=PredecessorRecord)
    standby: str = "sentinel-predecessor"
    keep: str = "standby"
    gates: RollbackGates = field(default_factory=RollbackGates)
    force: bool = False
    probe: SentinelProbe = field(default_factory=SentinelProbe)
    predecessor_probe: PredecessorProbe = field(default_factory=PredecessorProbe)
    limits: Limits = field(default_factory=Limits)
    grace: GraceRequest = field(default_factory=lambda: GraceRequest(""))
    docker_socket: str = ""
    force: bool = False
    """The operator rolls back even where ContextForge fails a gate."""

    def __post_init__(self) -> None:
        if self.keep not in KEEPS:
            raise Refusal('\'keep\' must be "standby" or "stopped"')
        if not 1 <= self.port <= 65535:
            raise Refusal("'port' must be from 1 to 65535")
        if not self.folder.startswith("/"):
            raise Refusal("'folder' is a relative path: give an absolute one")
