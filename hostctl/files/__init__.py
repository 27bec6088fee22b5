"""`files write` and `files remove`: a container's files, in the product's own folder on the host.

Owns: the listed files and their folder. Deliberately does not: touch a file that is not listed, print its contents, or
remove what a container, running or not, has mounted: it could not start again.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Any

from hostctl.core import atomic_file, folders, json_file
from hostctl.core.errors import Refusal
from hostctl.core.requests import FileMode
from hostctl.docker import shared_files
from hostctl.docker.engine import Engine
from hostctl.docker.users import users
from hostctl.files import sums

_FILE_MODE, _FOLDER_MODE = FileMode(0o400), FileMode(0o750)


@dataclass(frozen=True)
class File:
    """A file in the folder; -1 leaves the owner as it is."""

    name: str
    content: str
    mode: FileMode = _FILE_MODE
    uid: int = -1
    gid: int = -1

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True)
class FilesRequest:
    """The folder with its mode and owner, and its files."""

    folder: str
    folder_mode: FileMode = _FOLDER_MODE
    uid: int = -1
    gid: int = -1
    files: tuple[File, ...] = ()
    live: bool = False
    docker_socket: str = ""

    def __post_init__(self) -> None:
        _check_folder(self.folder)


@dataclass(frozen=True)
class Name:
    """A file in the folder, by its name alone."""

    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass(frozen=True)
class RemoveRequest:
    """The folder and its files; the contents, which may be secrets, are not read.

    `live` files come and go below a container that reads them when they are there, and needs none of them to start.
    """

    folder: str
    files: tuple[Name, ...] = ()
    live: bool = False
    docker_socket: str = ""

    def __post_init__(self) -> None:
        _check_folder(self.folder)


def write(request: FilesRequest) -> dict[str, Any]:
    """Give each file its declared content, mode and owner, whole or not at all; one that has them stays untouched."""
    folder = os.path.normpath(request.folder)
    _make_folder(folder, request)
    written: list[str] = []
    unchanged: list[str] = []
    for file in request.files:
        path = os.path.join(folder, file.name)
        content = file.content.encode("utf-8", "surrogatepass")
        if _is_as_declared(path, content, file):
            unchanged.append(file.name)
            continue
        mode, uid, gid = _rights(file)
        try:
            atomic_file.write(path, content, mode, uid, gid)
        except OSError as error:
            raise Refusal(f"{path} cannot be written ({error.strerror}): fix that, then run again") from None
        written.append(file.name)
    if not shared_files.given_away():
        groups = {file.name: file.gid for file in request.files}
        shared_files.share(request.docker_socket, folder, request.folder_mode, request.gid, groups)
    if not request.live:
        sums.keep(folder, {file.name: file.content.encode("utf-8", "surrogatepass") for file in request.files})
    return {"folder": folder, "written": written, "unchanged": unchanged}


def remove(request: RemoveRequest) -> dict[str, Any]:
    """Remove the listed files, and the folder once it is empty; raises Refusal while a container uses it."""
    folder = os.path.normpath(request.folder)
    if os.path.isdir(folder) and not request.live:
        used_by = users(Engine(request.docker_socket), path=folder)
        if used_by:
            raise Refusal(f"{folder} is kept while a container mounts it: {', '.join(used_by)}")
    try:
        removed = json_file.remove(folder, *(file.name for file in request.files))
    except OSError as error:
        raise Refusal(f"{error.filename} cannot be removed ({error.strerror}): fix that, then run again") from None
    sums.forget(folder)
    names = [os.path.basename(path) for path in removed]
    return {"folder": folder, "removed": names, "folder_removed": not os.path.isdir(folder)}


def _check_name(name: str) -> None:
    if name in ("", ".", "..") or "/" in name:
        raise Refusal("'name' of a file is not a plain file name: give one without a slash")


def _check_folder(folder: str) -> None:
    if not os.path.isabs(folder):
        raise Refusal("'folder' is a relative path: give an absolute one")


def _make_folder(folder: str, request: FilesRequest) -> None:
    try:
        if shared_files.given_away():
            # Root's: whoever has the container's uid on the host may read what is in it, and put nothing into it.
            folders.make_exactly(folder, request.folder_mode, 0, request.gid)
        else:
            # Nobody else's until it has its group.
            folders.make(folder, 0o700)
    except OSError as error:
        raise Refusal(f"the folder {folder} cannot be made ({error.strerror}): fix that, then run again") from None


def _rights(file: File) -> tuple[int, int, int]:
    """Mode, owner and group with which this user writes the file."""
    if shared_files.given_away():
        return file.mode, file.uid, file.gid
    return file.mode if file.gid == -1 else shared_files.mode_for(file.mode), -1, -1


def _is_as_declared(path: str, content: bytes, file: File) -> bool:
    mode, uid, gid = _rights(file)
    try:
        status = os.stat(path)
        with open(path, "rb") as handle:
            same = handle.read() == content
    except OSError:
        return False
    owned = uid in (-1, status.st_uid) and gid in (-1, status.st_gid)
    return same and stat.S_IMODE(status.st_mode) == mode and owned
