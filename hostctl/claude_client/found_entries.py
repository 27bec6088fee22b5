"""Every entry of Claude's that points at the gateway's port, wherever Claude reads entries from.

Owns: the search: user scope, local scope and project scope of each project that Claude's file knows, in the operator's
home and in every CLAUDE_CONFIG_DIR that an open session or a shell's start file names.
Deliberately does not: write anything, or refuse a file: one that cannot be read is reported and left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from hostctl.claude_client.json_edit import objects_along
from hostctl.claude_client.json_edit import parsed as parsed_or_refused
from hostctl.claude_client.processes import found as open_sessions
from hostctl.claude_client.record import owner_of, read_file
from hostctl.claude_client.request import Place
from hostctl.claude_client.variables import expanded
from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal

_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1|0\.0\.0\.0|::")
_FOLDER = re.compile(r"""^[^#\n]*\bCLAUDE_CONFIG_DIR=["']?([^"'\s;]+)""", re.MULTILINE)
_START_FILES = (".profile", ".bash_profile", ".bashrc", ".zshenv", ".zprofile", ".zshrc")
_SYSTEM_FILES = ("/etc/environment", "/etc/profile")


@dataclass(frozen=True)
class Found:
    """One entry. `kind` is http, or stdio for a program that reaches the gateway in its own way; `twice` says that its
    object has the name twice, of which Claude takes the last. Claude runs the program for the header of an entry that
    belongs to a folder only where the folder is `trusted`."""

    file: str
    scope: str
    project: str
    entry: str
    kind: str
    twice: bool = False
    trusted: bool = True

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return os.path.realpath(self.file), self.scope, self.project if self.scope == "local" else "", self.entry

    @property
    def sentence(self) -> str:
        """The place for a person."""
        scope = f"local scope of {self.project}" if self.scope == "local" else f"{self.scope} scope"
        return f"entry {self.entry} in {self.file} ({scope}{', a program' if self.kind == 'stdio' else ''})"


def find(place: Place) -> tuple[list[Found], list[str]]:
    """The entries for the port, the configured one included, and a sentence for each file that cannot be read."""
    known: dict[tuple[str, str, str, str], Found] = {}
    unread: list[str] = []
    for file in user_files(place):
        try:
            text = read_file(file)
            document = parsed_or_refused(text, file) if text is not None else {}
            for entry in _in_user_file(file, text or "{}", document, place):
                known.setdefault(entry.identity, entry)
        except Refusal as refusal:
            unread.append(str(refusal))
            continue
        for project in map(str, table(document.get("projects"))):
            shared = os.path.join(project, ".mcp.json")
            try:
                for entry in _in(shared, read_file(shared), [], "project", project, place):
                    known.setdefault(entry.identity, replace(entry, trusted=trusts(document, project)))
            except Refusal as refusal:
                unread.append(str(refusal))
    return list(known.values()), unread


def trusts(document: Mapping[str, Any], folder: str) -> bool:
    """True where the person has accepted Claude's trust dialog in the folder or in one above it."""
    projects = table(document.get("projects"))
    above = [folder]
    while above[-1] != os.path.dirname(above[-1]):
        above.append(os.path.dirname(above[-1]))
    return any(table(projects.get(path)).get("hasTrustDialogAccepted") is True for path in above)


def user_files(place: Place) -> list[str]:
    """Claude's file of the operator's home, the configured one, and that of every other configuration folder."""
    files = [os.path.join(place.home, ".claude.json")] if place.home else []
    files += [place.file] if place.scope != "project" else []
    files += [os.path.join(folder, ".claude.json") for folder in config_folders(place)]
    # One file under two names is one file.
    return list({os.path.realpath(file): file for file in reversed(files)}.values())[::-1]


def config_folders(place: Place) -> list[str]:
    """Every CLAUDE_CONFIG_DIR that an open session has, or that a shell's start file sets."""
    folders = [os.path.dirname(process.file) for process in open_sessions(owner_of(place.file)[0]) if process.file]
    starts = [os.path.join(place.home, name) for name in _START_FILES] if place.home else []
    for path in (*starts, *_SYSTEM_FILES):
        try:
            text = read_file(path) or ""
        except Refusal:
            continue
        for written in _FOLDER.findall(text):
            folder = re.sub(r"^(~|\$HOME|\$\{HOME\})(?=/|$)", lambda _: place.home, written)
            folders += [folder] if os.path.isabs(folder) else []
    return [folder for folder in dict.fromkeys(folders) if folder != place.home]


def points_here(entry: Mapping[str, Any], place: Place) -> str:
    """`http` or `stdio` for an entry that leads to the gateway, empty for any other."""
    resolved = table(expanded(dict(entry), set()))
    url = resolved.get("url")
    if isinstance(url, str):
        return "http" if _is_ours(url, place.port) else ""
    command = [str(resolved.get("command") or ""), *map(str, rows(resolved.get("args")))]
    named = any(place.gateway and place.gateway in word for word in command[1:])
    reached = any(_is_ours(word, place.port) for word in command[1:])
    return "stdio" if named or reached else ""


def _is_ours(url: str, port: int) -> bool:
    try:
        address = urlsplit(url)
        return address.port == port and _LOOPBACK.fullmatch(address.hostname or "") is not None
    except ValueError:
        return False


def _in_user_file(file: str, text: str, document: dict[str, Any], place: Place) -> Iterator[Found]:
    yield from _in(file, text, [], "user", "", place)
    for project in map(str, table(document.get("projects"))):
        for entry in _in(file, text, ["projects", project], "local", project, place):
            yield replace(entry, trusted=trusts(document, project))


def _in(file: str, text: str | None, path: list[str], scope: str, project: str, place: Place) -> Iterator[Found]:
    if text is None:
        return
    document = parsed_or_refused(text, file)
    for key in path:
        document = table(document.get(key))
    servers = table(document.get("mcpServers"))
    kinds = {name: points_here(table(entry), place) for name, entry in servers.items()}
    if not any(kinds.values()):
        return
    keys = [member.key for member in objects_along(text, [*path, "mcpServers"], file)[-1].members]
    for name, kind in kinds.items():
        if kind:
            yield Found(file, scope, project, name, kind, keys.count(name) > 1)
