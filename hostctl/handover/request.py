"""What a handover is asked: read from the document, and written to the journal so that it can be finished or reversed.

Owns: `Request` and its reading. Deliberately does not: hold the token or its file's content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal

RELEASES = ("pause", "stop")


@dataclass(frozen=True)
class RecordedNetwork:
    """A network of the predecessor as it was before anything changed."""

    name: str
    aliases: tuple[str, ...]
    internal: bool


@dataclass(frozen=True)
class RecordedContainer:
    """A container of the predecessor as it was before anything changed."""

    id: str
    name: str
    running: bool
    restart: tuple[str, int]
    networks: tuple[RecordedNetwork, ...]


@dataclass(frozen=True)
class Predecessor:
    """The record of `predecessor record`; `gateway` is None for kind "absent"."""

    gateway: RecordedContainer | None = None
    others: tuple[RecordedContainer, ...] = ()


@dataclass(frozen=True)
class Request:
    """A handover's document; seconds for every limit."""

    docker_socket: str
    container: str
    edge: str
    internal: str
    aliases: tuple[str, ...]
    also: tuple[str, ...]
    predecessor: Predecessor
    release: str
    port: int
    probe_path: str
    token_file: str
    predecessor_path: str
    folder: str
    answer_seconds: float
    predecessor_seconds: float
    drain_seconds: float
    document: dict[str, Any]

    @classmethod
    def read(cls, document: Document) -> Request:
        """Raises Refusal for what is missing or wrong."""
        limits, probe = document.object("limits", {}), document.object("probe", {})
        release = document.text("release", "pause")
        if release not in RELEASES:
            raise Refusal('\'release\' must be "pause" or "stop"')
        folder, port = document.text("folder"), document.whole_number("port")
        if not 1 <= port <= 65535:
            raise Refusal("'port' must be from 1 to 65535")
        if not folder.startswith("/"):
            raise Refusal("'folder' is a relative path: give an absolute one")
        return cls(
            docker_socket=document.text("docker_socket"),
            container=document.text("container", ""),
            edge=document.text("edge"),
            internal=document.text("internal"),
            aliases=tuple(document.texts("aliases")),
            also=tuple(document.texts("also")),
            predecessor=_predecessor(document.object("predecessor", {"kind": "absent"})),
            release=release,
            port=port,
            probe_path=probe.text("path", "/mcp"),
            token_file=probe.text("token_file", ""),
            predecessor_path=document.object("predecessor_probe", {}).text("path", "/health"),
            folder=folder,
            answer_seconds=limits.seconds("answer_seconds", 10),
            predecessor_seconds=limits.seconds("predecessor_seconds", 60),
            drain_seconds=limits.seconds("drain_seconds", 10),
            document=document.values,
        )


def _predecessor(record: Document) -> Predecessor:
    kind = record.text("kind")
    if kind == "absent":
        return Predecessor()
    if kind != "contextforge":
        raise Refusal("'kind' in 'predecessor' must be \"contextforge\" or \"absent\"")
    gateway = _recorded(record.object("gateway"))
    others = [_recorded(container) for container in record.objects("containers")]
    return Predecessor(gateway, tuple(container for container in others if container.name != gateway.name))


def _recorded(container: Document) -> RecordedContainer:
    restart = container.object("restart", {})
    return RecordedContainer(
        id=container.text("id"),
        name=container.text("name"),
        running=bool(container.values.get("running", True)),
        restart=(restart.text("Name", "no") or "no", restart.whole_number("MaximumRetryCount", 0)),
        networks=tuple(
            RecordedNetwork(network.text("name"), tuple(network.texts("aliases")), bool(network.values.get("internal")))
            for network in container.objects("networks")
        ),
    )
