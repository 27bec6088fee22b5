"""The cache of layers below `.work/images`, and bringing images into a daemon.

Owns: building what is missing, loading what is missing. A layer is written beside and renamed, so a killed build leaves
nothing that a later one would take for whole.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import docker

from console.errors import UserError
from console.paths import WORK
from console.progress import LongStep, Progress, Step
from lab.images import archive
from lab.images.layers import Layer
from lab.images.recipes import CUTOVER, IMAGES, Image

CACHE = WORK / "images"


def missing(names: Sequence[str] = CUTOVER, cache: Path = CACHE) -> list[Layer]:
    """Layers that are not in the cache, those that others stand on first."""
    found: dict[str, Layer] = {}
    for name in names:
        for layer in IMAGES[name].layers:
            for one in (*layer.below(), layer):
                if not one.tar(cache).exists():
                    found[one.key] = one
    return sorted(found.values(), key=lambda layer: len(layer.below()))


def build(progress: Progress, names: Sequence[str] = CUTOVER, cache: Path = CACHE) -> None:
    """Makes the missing layers; those of one rank side by side. What killed builds left goes first."""
    tidy(cache)
    while layers := missing(names, cache):
        rank = [layer for layer in layers if all(below.tar(cache).exists() for below in layer.below())]
        progress.side_by_side(
            [LongStep(_name(layer), lambda step, layer=layer: make(layer, step, cache)) for layer in rank]
        )


def make(layer: Layer, step: Step, cache: Path = CACHE) -> None:
    """Makes one layer, and first those below it."""
    for below in layer.below():
        if not below.tar(cache).exists():
            make(below, step, cache)
    cache.mkdir(parents=True, exist_ok=True)
    beside = cache / f"new-{os.getpid()}-{layer.key}.tar"
    try:
        layer.make(beside, cache, step)
        # Debian's packages move on: a layer that is made again may have other bytes than the one that was removed.
        archive.identity_file(layer, cache).unlink(missing_ok=True)
        beside.replace(layer.tar(cache))
    finally:
        beside.unlink(missing_ok=True)
    archive.identity(layer, cache)


def load(docker_host: str, names: Sequence[str] = CUTOVER, cache: Path = CACHE) -> dict[str, str]:
    """Loads what the daemon does not have yet; returns the tag of each image by name."""
    client = docker.DockerClient(base_url=docker_host, timeout=300)
    try:
        there = {tag for image in client.images.list() for tag in image.tags}
        absent = [IMAGES[name] for name in names if IMAGES[name].tag not in there]
        if absent:
            with _archive(absent, cache) as stream:
                client.images.load(stream)
            there = {tag for image in client.images.list() for tag in image.tags}
        lacking = [image.tag for image in absent if image.tag not in there]
        if lacking:
            raise UserError(
                f"The lab's Docker daemon did not take {', '.join(lacking)}; run 'make clean' and try again."
            )
    finally:
        client.close()
    return {name: IMAGES[name].tag for name in names}


def tidy(cache: Path = CACHE) -> None:
    """Removes what killed builds left; what a running process, by its pid in the name, still makes stays."""
    for path in (*cache.glob("scratch-*"), *cache.glob("new-*")):
        if Path("/proc", path.name.split("-")[1]).exists():
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _name(layer: Layer) -> str:
    return f"Image layer: {layer.title}"


@contextmanager
def _archive(images: Sequence[Image], cache: Path) -> Generator[IO[bytes]]:
    """The archive as a stream, so that it is never on disk a second time."""
    reading, writing = os.pipe()
    errors: list[BaseException] = []

    def produce() -> None:
        try:
            with os.fdopen(writing, "wb") as stream:
                archive.write(images, cache, stream)
        except BaseException as error:
            errors.append(error)

    producer = threading.Thread(target=produce, daemon=True)
    producer.start()
    try:
        with os.fdopen(reading, "rb") as stream:
            yield stream
    finally:
        producer.join()
        # Whatever the daemon made of half an archive, the cause is here.
        if errors:
            raise errors[0]
