"""`files write` and `files remove`: what a container reads, written to the product's own folder on the host.

Owns: the listed files and their folder. Deliberately does not: touch a file that is not listed, or print a content.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal


def write(document: Document) -> dict[str, Any]:
    """Make each file be as asked, whole or not at all; those that already are stay untouched."""
    folder = _folder(document)
    files = document.objects("files")
    names = [_name(file) for file in files]
    _make_folder(folder, document)
    written: list[str] = []
    unchanged: list[str] = []
    for name, file in zip(names, files):
        path = os.path.join(folder, name)
        content = file.text("content").encode("utf-8", "surrogatepass")
        mode, uid, gid = file.mode("mode", "0400"), file.whole_number("uid", -1), file.whole_number("gid", -1)
        if _is_so(path, content, mode, uid, gid):
            unchanged.append(name)
            continue
        try:
            atomic_file.write(path, content, mode, uid, gid)
        except OSError as error:
            raise Refusal(f"{path} cannot be written ({error.strerror}): fix that, then run again") from None
        written.append(name)
    return {"folder": folder, "written": written, "unchanged": unchanged}


def remove(document: Document) -> dict[str, Any]:
    """Remove the listed files, and the folder when nothing else is in it."""
    folder = _folder(document)
    removed: list[str] = []
    for file in document.objects("files"):
        try:
            os.unlink(os.path.join(folder, _name(file)))
            removed.append(_name(file))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Refusal(f"{os.path.join(folder, _name(file))} cannot be removed ({error.strerror})") from None
    return {"folder": folder, "removed": removed, "folder_removed": _remove_when_empty(folder)}


def _folder(document: Document) -> str:
    folder = document.text("folder")
    if not os.path.isabs(folder):
        raise Refusal("'folder' is a relative path: give an absolute one")
    return os.path.normpath(folder)


def _name(file: Document) -> str:
    name = file.text("name")
    if name in ("", ".", "..") or "/" in name:
        raise Refusal(f"'name' in {file.where} is no plain file name: give one without a slash")
    return name


def _make_folder(folder: str, document: Document) -> None:
    mode, uid, gid = (
        document.mode("folder_mode", "0750"),
        document.whole_number("uid", -1),
        document.whole_number("gid", -1),
    )
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        os.chown(folder, uid, gid)
        os.chmod(folder, mode)
    except OSError as error:
        raise Refusal(f"the folder {folder} cannot be made ({error.strerror}): fix that, then run again") from None


def _is_so(path: str, content: bytes, mode: int, uid: int, gid: int) -> bool:
    try:
        found = os.stat(path)
        with open(path, "rb") as file:
            same = file.read() == content
    except OSError:
        return False
    return same and stat.S_IMODE(found.st_mode) == mode and uid in (-1, found.st_uid) and gid in (-1, found.st_gid)


def _remove_when_empty(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            return error.errno == errno.ENOENT
        raise Refusal(f"the folder {folder} cannot be removed ({error.strerror})") from None
    return True
