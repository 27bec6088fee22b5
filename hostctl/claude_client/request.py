"""The requests of `claude`: the entry's place in Claude's file, and the entry."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from hostctl.core.errors import Refusal

_IDENTITY = ("file", "scope", "project", "entry", "replaces", "token_file")


@dataclass(frozen=True)
class Place:
    """Our entry in Claude's file, the predecessor's entry that it replaces, Claude's token file, and the product's
    folder for the record. `issuer` is Sentinel's, `record` the last answer of `claude record`.

    `home`, `port` and `gateway`, the predecessor's container, are for the entries beside it; `entries` is configured or
    all.
    """

    file: str
    entry: str
    token_file: str
    folder: str
    scope: str = "user"
    project: str = ""
    replaces: str = ""
    issuer: str = ""
    home: str = ""
    port: int = 0
    gateway: str = ""
    entries: str = "configured"
    docker_socket: str = ""
    record: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        if self.scope not in ("user", "project", "local"):
            raise Refusal("'scope' in the document on stdin must be user, project or local")
        if self.scope == "local" and not self.project:
            raise Refusal("'project' is missing in the document on stdin: give the project's folder for scope local")
        if not all(map(os.path.isabs, (self.file, self.token_file, self.folder))):
            raise Refusal("'file', 'token_file' and 'folder' must be absolute paths")

    @property
    def path(self) -> list[str]:
        """The keys that lead to `mcpServers` in Claude's file."""
        return ["projects", self.project, "mcpServers"] if self.scope == "local" else ["mcpServers"]

    @property
    def predecessor(self) -> str:
        """The predecessor's entry, empty where there is none or where it has our entry's name."""
        return "" if self.replaces == self.entry else self.replaces

    @property
    def identity(self) -> dict[str, str]:
        """The identity of a record, which is valid for no other file or entry."""
        return {key: getattr(self, key) for key in _IDENTITY}

    def within(self, name: str) -> str:
        """A file of ours in the product's folder for Claude."""
        return os.path.join(self.folder, name)


@dataclass(frozen=True)
class EntryRequest(Place):
    """The entry: its address, and the program that prints its header."""

    url: str = ""
    helper: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.url:
            raise Refusal("'url' is missing in the document on stdin: give a text")
        if os.path.dirname(self.helper) != self.folder:
            raise Refusal(f"'helper' must be a file in {self.folder}")

    @property
    def value(self) -> dict[str, Any]:
        """The entry as it is in Claude's file."""
        return {"type": "http", "url": self.url, "headersHelper": self.helper}
