"""Images as `docker load` reads them: layers, one configuration an image, one manifest for all.

Format: the archive of `docker save` (Docker Image Specification v1.2): `manifest.json` names, for each image, its
configuration file, its tags and its layers; `rootfs.diff_ids` are the SHA-256 of the layers' tars.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from lab.images.layers import EPOCH, Layer
from lab.images.recipes import Image

_CREATED = "2026-01-01T00:00:00Z"


def write(images: Sequence[Image], cache: Path, stream: IO[bytes]) -> None:
    """Writes one archive of several images; a layer that they share is in it once."""
    written: set[str] = set()
    manifest: list[dict[str, object]] = []
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for image in images:
            identities = [identity(layer, cache) for layer in image.layers]
            for layer, digest in zip(image.layers, identities, strict=True):
                if digest not in written:
                    written.add(digest)
                    _add_file(tar, f"{digest}/layer.tar", layer.tar(cache))
            configuration = _configuration(image, identities)
            name = f"{hashlib.sha256(configuration).hexdigest()}.json"
            _add(tar, name, configuration)
            layers = [f"{digest}/layer.tar" for digest in identities]
            manifest.append({"Config": name, "RepoTags": [image.tag], "Layers": layers})
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def identity(layer: Layer, cache: Path) -> str:
    """SHA-256 of the layer's tar, kept beside it."""
    beside = identity_file(layer, cache)
    if not beside.exists():
        with layer.tar(cache).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        new = beside.with_name(f"new-{os.getpid()}-{beside.name}")
        new.write_text(digest, encoding="utf-8")
        new.replace(beside)
    return beside.read_text(encoding="utf-8")


def identity_file(layer: Layer, cache: Path) -> Path:
    """The file in which `identity` keeps its result."""
    return layer.tar(cache).with_suffix(".sha256")


def _configuration(image: Image, identities: Sequence[str]) -> bytes:
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": _CREATED,
        "config": dict(image.config),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in identities]},
        "history": [{"created": _CREATED, "created_by": type(layer).__name__} for layer in image.layers],
    }
    return json.dumps(document, sort_keys=True).encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(content), EPOCH
    tar.addfile(info, io.BytesIO(content))


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = path.stat().st_size, EPOCH
    with path.open("rb") as file:
        tar.addfile(info, file)
