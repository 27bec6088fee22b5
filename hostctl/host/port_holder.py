"""The holder of a TCP port on this host: Sentinel, ContextForge, an unknown owner or nobody.

A holder is a container that publishes the port, or else a process that listens on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hostctl.docker.containers import GATEWAY_ROLE, Container
from hostctl.host import listeners

SENTINEL, CONTEXTFORGE, UNKNOWN_OWNER, NOBODY = "sentinel", "contextforge", "unknown owner", "nobody"


@dataclass(frozen=True)
class PortHolder:
    """One holder; `container` is None for a process and for nobody."""

    kind: str
    name: str = ""
    container: Container | None = None

    @property
    def is_ours(self) -> bool:
        return self.kind in (SENTINEL, CONTEXTFORGE)

    @property
    def id(self) -> str:
        """The container's id, empty where there is none."""
        return "" if self.container is None else self.container.id

    def document(self) -> dict[str, Any] | None:
        return None if self.kind == NOBODY else {"name": self.name, "id": self.id}

    def refusal(self, port: int) -> str:
        """The sentence for an unknown owner, with the way to free the port."""
        if self.container is None:
            return f"port {port} is held by {self.name}, which is not a gateway: stop it or choose another port"
        return (
            f"port {port} is held by the container {self.name}, neither the predecessor nor Sentinel: "
            f"stop it ('docker stop {self.name}') or choose another port"
        )


NO_HOLDER = PortHolder(NOBODY)


def find(containers: Sequence[Container], port: int, predecessor: str) -> PortHolder:
    """The holder among these containers, else a listening process; `predecessor` is ContextForge's name or id."""
    holder = among(containers, port, predecessor)
    if holder.kind != NOBODY:
        return holder
    listener = listeners.listener(port)
    return NO_HOLDER if listener is None else PortHolder(UNKNOWN_OWNER, listener)


def among(containers: Sequence[Container], port: int, predecessor: str) -> PortHolder:
    """The holder among these containers; an unknown owner goes first where two publish it at different addresses."""
    holders = every(containers, port, predecessor)
    return next((holder for holder in holders if not holder.is_ours), next(iter(holders), NO_HOLDER))


def every(containers: Sequence[Container], port: int, predecessor: str) -> list[PortHolder]:
    """All of these containers that publish the port; more than one only at different addresses."""
    return [
        PortHolder(_kind(container, predecessor), container.name, container)
        for container in containers
        if container.publishes(port)
    ]


def _kind(container: Container, predecessor: str) -> str:
    if container.role == GATEWAY_ROLE:
        return SENTINEL
    return CONTEXTFORGE if predecessor and predecessor in (container.id, container.name) else UNKNOWN_OWNER
