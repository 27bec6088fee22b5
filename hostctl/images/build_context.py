"""`images build-context`: the operator's image, built by the host's `docker build` from a folder (`sentinel.context`).

Owns: the call of Docker's command line, its time limit, its progress and its error; the tag, which is set once. A tag
keeps its content: where the folder gives another image than the one that has the tag, it is refused, since a rollback
to an older update finds its image by the tag. Docker's own cache makes a second build of the same folder short.
Deliberately does not: read the Dockerfile or `.dockerignore` (Docker does), change the folder, or remove an image.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine
from hostctl.images.build import DOCKERFILE, LAST_LINES

LABEL = "sentinel-cutover.context"
"""Marks an image that was built here."""
STEPS = ("Step ", "#")
"""The beginnings of lines that show progress, of Docker's older builder and of BuildKit."""
NO_ATTESTATIONS = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
"""BuildKit's attestations hold the time, so that the same content would give another image."""


@dataclass(frozen=True)
class BuildContextRequest:
    """An image's name, and the folder on the host that it is built from."""

    image: str
    folder: str
    limit_seconds: float = 3600
    docker_socket: str = ""


def build(request: BuildContextRequest) -> dict[str, Any]:
    """{"image", "id", "built"}; raises Refusal with the build's last lines."""
    engine, image, folder = Engine(request.docker_socket), request.image, Path(request.folder)
    existing = engine.find(f"/images/{quote(image)}/json")
    if existing is not None and LABEL not in table(table(table(existing).get("Config")).get("Labels")):
        raise Refusal(
            f"the image {image} is on the host and was not built from {folder}: give sentinel.image another tag, or "
            "unset sentinel.context"
        )
    if existing is not None and not folder.exists():
        return {"image": image, "id": existing["Id"], "built": False}
    _check(folder)
    made = _built(engine, image, folder, request.limit_seconds)
    if existing is not None:
        if _content(engine.get(f"/images/{quote(made)}/json")) != _content(existing):
            raise Refusal(
                f"{folder} now builds another image than {image}, which was built from it: give sentinel.image another "
                "tag, so that the former image stays for a rollback, or unset sentinel.context to keep it"
            )
        return {"image": image, "id": existing["Id"], "built": False}
    repository, _, tag = image.rpartition(":") if ":" in image.rpartition("/")[2] else (image, "", "latest")
    engine.post(f"/images/{quote(made)}/tag?{urlencode({'repo': repository, 'tag': tag})}")
    return {"image": image, "id": made, "built": True}


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise Refusal(
            f"{folder} is not a folder on the host: put Sentinel's sources there, or correct sentinel.context"
        )
    if not (folder / DOCKERFILE).is_file():
        raise Refusal(f"{folder} has no {DOCKERFILE}: put one there, or correct sentinel.context")
    if shutil.which("docker") is None:
        raise Refusal(
            "the host has no `docker` command, which builds the folder in sentinel.context: install Docker's command "
            "line there, or `docker load` the image and unset sentinel.context"
        )


def _built(engine: Engine, image: str, folder: Path, limit: float) -> str:
    """Build the image, with its steps on stderr; the untagged image's id."""
    print(f"building {image} from {folder}", file=sys.stderr, flush=True)
    last: deque[str] = deque(maxlen=LAST_LINES)
    with tempfile.TemporaryDirectory() as scratch:
        identity = Path(scratch, "id")
        command = ["docker", f"--host=unix://{engine.path}", "build", f"--iidfile={identity}"]
        status = _run([*command, f"--label={LABEL}=built", str(folder)], limit, last)
        if status == 0:
            return identity.read_text(encoding="utf-8").strip()
    lines = "".join(f"\n{line}" for line in last)
    if status is None:
        raise Refusal(
            f"{image} was not built within {limit:.0f} s and was stopped: run again, finished steps are kept{lines}"
        )
    raise Refusal(
        f"{image} cannot be built from {folder} ({last[-1] if last else f'docker build ended with {status}'}): fix "
        f"what its last lines say, then run again; nothing that serves has been touched{lines}"
    )


def _run(command: list[str], limit: float, last: deque[str]) -> int | None:
    """The exit code, None where it did not end in time; its last lines go to `last`."""
    began = time.monotonic()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **NO_ATTESTATIONS},
        start_new_session=True,
    ) as process:
        # The group, since BuildKit's client is a child of Docker's and holds the pipe too.
        timer = threading.Timer(limit, _end, (process,))
        timer.start()
        try:
            for line in process.stdout or ():
                if line.strip():
                    last.append(line.rstrip())
                if line.startswith(STEPS):
                    print(line.rstrip(), file=sys.stderr, flush=True)
        except BaseException:
            _end(process)
            raise
        finally:
            timer.cancel()
    return None if process.returncode < 0 and time.monotonic() - began >= limit else process.returncode


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _content(image: Any) -> tuple[Any, Any]:
    """The members that are equal in two images which differ only in the time of their build."""
    return table(image).get("RootFS"), table(image).get("Config")
