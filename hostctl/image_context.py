"""`images build-context`: the operator's image, built on the host from a folder with a Dockerfile (`sentinel.context`).

Owns: the tar of the folder (the same content gives the same bytes), and the label that names its content, by which a
second run knows the image. A tag keeps its content: another content under the same tag is refused, since the way back
to an older update finds its image by the tag. Deliberately does not: change the folder, or remove an image.
Source: Engine API, "Build an image" (`labels`), "Inspect an image".
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from json import dumps
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from hostctl import dockerfile, image_build
from hostctl.docker import Engine
from hostctl.dockerignore import NAME as DOCKERIGNORE
from hostctl.dockerignore import Ignored
from hostctl.documents import Document, table
from hostctl.errors import Refusal

LABEL = "sentinel-cutover.context"
"""Holds the content's SHA-256, 64 hex digits."""
LIMIT_BYTES = 512 * 1024 * 1024
"""A gateway's sources have a few MB; more is a forgotten `target` or `.git`, which every run would read again."""


def build(document: Document) -> dict[str, Any]:
    """{"image", "id", "built"}; raises Refusal with what is wrong with the folder, or with the build's last lines."""
    engine, image = Engine(document.text("docker_socket")), document.text("image")
    folder = Path(document.text("folder"))
    found = engine.find(f"/images/{quote(image)}/json")
    kept = str(table(table(table(found).get("Config")).get("Labels")).get(LABEL, ""))
    if found is not None and not kept:
        raise Refusal(
            f"the image {image} is on the host and was not built from {folder}: give sentinel.image another tag, or "
            "unset sentinel.context"
        )
    if found is not None and not folder.exists():
        return {"image": image, "id": found["Id"], "built": False}
    _check(folder)
    with tempfile.TemporaryFile() as archive:
        content = write(folder, archive)
        if found is not None:
            if kept != content:
                raise Refusal(
                    f"{folder} has changed since {image} was built from it: give sentinel.image another tag, so that "
                    "the former image stays the way back"
                )
            return {"image": image, "id": found["Id"], "built": False}
        archive.seek(0)
        print(f"building {image} from {folder}", file=sys.stderr, flush=True)
        words = {"dockerfile": image_build.DOCKERFILE, "labels": dumps({LABEL: content})}
        limit = document.seconds("limit_seconds", 3600)
        made = image_build.run(engine, image, words, archive, limit, str(folder))
    return {"image": image, "id": made, "built": True}


def write(folder: Path, archive: IO[bytes]) -> str:
    """The folder as a tar, written to `archive`; its SHA-256. Raises Refusal if it is too large or holds a device."""
    ignored = Ignored.of(_text(folder / DOCKERIGNORE))
    size = 0
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in _members(folder, ignored):
            found = path.lstat()
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.mode = stat.S_IMODE(found.st_mode)
            if stat.S_ISLNK(found.st_mode):
                member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
                tar.addfile(member)
            elif stat.S_ISDIR(found.st_mode):
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            elif stat.S_ISREG(found.st_mode):
                member.size = found.st_size
                size += found.st_size
                if size > LIMIT_BYTES:
                    raise Refusal(
                        f"{folder} holds more than {LIMIT_BYTES // 1024**2} MB: leave out what the build does not need "
                        f"(.git, target) by a {DOCKERIGNORE} there, then run again"
                    )
                with path.open("rb") as file:
                    tar.addfile(member, file)
            else:
                raise Refusal(f"{path} is no file, folder or link: leave it out by {folder / DOCKERIGNORE}")
    archive.seek(0)
    digest = hashlib.sha256()
    while piece := archive.read(1024 * 1024):
        digest.update(piece)
    return digest.hexdigest()


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise Refusal(f"{folder} is no folder on the host: put Sentinel's sources there, or correct sentinel.context")
    file = folder / image_build.DOCKERFILE
    if not file.is_file():
        raise Refusal(f"{folder} has no {image_build.DOCKERFILE}: put one there, or correct sentinel.context")
    if finding := dockerfile.unpinned(_text(file)):
        raise Refusal(f"{file} fetches what is not pinned, {finding}: give it a version, then run again")


def _members(folder: Path, ignored: Ignored) -> Iterator[Path]:
    """What belongs to the context, in one order on every machine; the Dockerfile always does."""
    for root, folders, files in os.walk(folder):
        here = Path(root)
        for name in sorted(folders + files):
            path = here / name
            relative = path.relative_to(folder).as_posix()
            if relative == image_build.DOCKERFILE or not ignored.leaves_out(relative):
                yield path
            elif name in folders and not ignored.takes_back_in:
                folders.remove(name)
        folders.sort()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
