"""A dump on the host: written under another name, synced, read back whole, and only then in its place.

`pg_restore` reads all of it (`--list` would prove nothing), and the disk holds the very bytes that came in.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar, cast

from hostctl.core import atomic_file
from hostctl.core.errors import Refusal
from hostctl.docker import one_shot
from hostctl.docker.engine import Engine
from hostctl.postgres.psql import complaint

SILENT_SECONDS = 600.0
"""A dump that is silent for this long is given up; also the limit of reading it back."""
T = TypeVar("T")


@contextmanager
def new(engine: Engine, image: str, path: str, dump: Callable[[BinaryIO], T]) -> Generator[tuple[T, dict[str, Any]]]:
    """The result of `dump`, and {"sha256", "bytes"}; the file has its name after the block, and is gone if it fails.

    Raises Refusal, OSError, and what `dump` raises.
    """
    partial = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.partial")
    if os.path.lexists(partial):
        os.unlink(partial)
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            out = _Hashing(file)
            dumped = dump(cast(BinaryIO, out))
            file.flush()
            os.fsync(file.fileno())
        fault = read_back(engine, image, partial)
        if fault:
            raise Refusal(f"the new dump cannot be read back ({fault})")
        if digest(partial) != out.digest:
            raise Refusal(
                f"checksum mismatch of the new dump in {os.path.dirname(path)}: check the disk, then run again"
            )
        yield dumped, {"sha256": out.digest, "bytes": out.size}
        os.rename(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise
    atomic_file.sync_folder(os.path.dirname(path))


def read_back(engine: Engine, image: str, path: str) -> str:
    """The dump's fault, empty when the image's `pg_restore` reads all of it; raises Refusal where it was killed."""
    argv = ["pg_restore", "-f", "/dev/null", path]
    status, output = one_shot.run(engine, one_shot.reader(image, argv, path), SILENT_SECONDS)
    if status in one_shot.KILLED:
        raise Refusal(
            f"pg_restore was killed while it read {os.path.basename(path)}, so nothing is known of it: run again"
        )
    return (complaint(output) or f"exit code {status}") if status else ""


def digest(path: str) -> str:
    """The file's SHA-256, in hex, read from the disk again."""
    hashed = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            hashed.update(piece)
    return hashed.hexdigest()


class _Hashing:
    """A file that counts bytes and their SHA-256 on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        self.size += len(content)
        return self._file.write(content)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
