"""The objects that the contract suite's fixtures give to its tests.

Owns: the shapes.
Deliberately does not: make or find any of them (see conftest.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract_engine import Stack

NewStack = Callable[..., Stack]
"""Makes a stack; keyword arguments are environment variables of its engine."""


@dataclass(frozen=True)
class Daemon:
    address: str
    api: Any
    """`docker.APIClient`, of whose answers the published types know nothing."""
    prefix: str
    """Every container, network and volume of the suite has a name that starts with it."""
    images: tuple[str, str]
    """Two tags whose images differ."""

    def inspect(self, container: str) -> dict[str, Any]:
        return self.api.inspect_container(container)

    def image_id(self, number: int) -> str:
        return self.api.inspect_image(self.images[number])["Id"]


@dataclass(frozen=True)
class SshServer:
    port: int
    private_key: str
    key_file: Path

    def connection(self) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.port, "user": "root", "private_key": {"secret": self.private_key}}


@dataclass(frozen=True)
class Plugins:
    home: Path
    doubles: bool
