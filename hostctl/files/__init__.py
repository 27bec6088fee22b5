"""`files write` and `files remove`: a container's files, in the product's own folder on the host.

Owns: the listed files and their folder. Deliberately does not: touch a file that is not listed, or print its contents.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.errors import Refusal
from hostctl.core.requests import FileMode

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
        if self.name in ("", ".", "..") or "/" in self.name:
            raise Refusal("'name' of a file is not a plain file name: give one without a slash")


@dataclass(frozen=True)
class FilesRequest:
    """The folder with its mode and owner, and its files."""

    folder: str
    folder_mode: FileMode = _FOLDER_MODE
    uid: int = -1
    gid: int = -1
    files: tuple[File, ...] = ()

    def __post_init__(self) -> None:
        if not os.path.isabs(self.folder):
            raise Refusal("'folder' is a relative path: give an absolute one")


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
        try:
            atomic_file.write(path, content, file.mode, file.uid, file.gid)
        except OSError as error:
            raise Refusal(f"{path} cannot be written ({error.strerror}): fix that, then run again") from None
        written.append(file.name)
    return {"folder": folder, "written": written, "unchanged": unchanged}


def remove(request: FilesRequest) -> dict[str, Any]:
    """Remove the listed files, and the folder once it is empty."""
    folder = os.path.normpath(request.folder)
    removed: list[str] = []
    for file in request.files:
        path = os.path.join(folder, file.name)
        try:
            os.unlink(path)
            removed.append(file.name)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Refusal(f"{path} cannot be removed ({error.strerror}): fix that, then run again") from None
    return {"folder": folder, "removed": removed, "folder_removed": _remove_when_empty(folder)}


def _make_folder(folder: str, request: FilesRequest) -> None:
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        os.chown(folder, request.uid, request.gid)
        os.chmod(folder, request.folder_mode)
    except OSError as error:
        raise Refusal(f"the folder {folder} cannot be made ({error.strerror}): fix that, then run again") from None


def _is_as_declared(path: str, content: bytes, file: File) -> bool:
    try:
        status = os.stat(path)
        with open(path, "rb") as handle:
            same = handle.read() == content
    except OSError:
        return False
    owned = file.uid in (-1, status.st_uid) and file.gid in (-1, status.st_gid)
    return same and stat.S_IMODE(status.st_mode) == file.mode and owned


def _remove_when_empty(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            return error.errno == errno.ENOENT
        raise Refusal(f"the folder {folder} cannot be removed ({error.strerror}): fix that, then run again") from None
    return True
