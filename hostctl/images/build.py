"""`images build`: an image built on the host from a base and a few files, once per content.

The tag names the base's digest and every file, so that nothing is built twice. No image is removed: a rollback starts
the former one.
Source: Engine API, "Build an image": a tar as body, progress and errors as JSON objects, one a line, after status 200.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from hostctl.core.documents import parsed
from hostctl.core.errors import Refusal
from hostctl.core.packing import packed, unpacked
from hostctl.docker.containers import OURS
from hostctl.docker.engine import Engine

DOCKERFILE = "Dockerfile"
LAST_LINES = 20
TAG_DIGITS = 16


@dataclass(frozen=True)
class BuildRequest:
    """`base` is the base image's id, which the Dockerfile gets as its argument BASE; `files` are the build's, packed.
    `base_name` and `setting` are for the errors."""

    name: str
    base: str
    base_name: str
    setting: str
    files: str
    limit_seconds: float = 3600
    docker_socket: str = ""


def packed_files(files: Mapping[str, str]) -> str:
    """The content of each file by its path in the build, as one line of text: every state has it twice."""
    return packed(json.dumps(dict(files), sort_keys=True).encode()).decode()


def build(request: BuildRequest) -> dict[str, Any]:
    """{"image": tag, "id", "built"}; raises Refusal with the build's last lines."""
    engine, base, base_name = Engine(request.docker_socket), request.base, request.base_name
    files = unpacked_files(request.files)
    tag = f"{request.name}:{_key(base, files)}"
    existing = engine.find(f"/images/{quote(tag)}/json")
    if existing is not None:
        return {"image": tag, "id": existing["Id"], "built": False}
    if engine.find(f"/images/{quote(base)}/json") is None:
        raise Refusal(
            f"{tag} cannot be built: its base {base_name} ({base[:19]}) is not on the host any more: load it there "
            f"('docker load -i FILE'), or correct {request.setting}, then run again"
        )
    print(f"building {tag} from {base_name}", file=sys.stderr, flush=True)
    settings = {"buildargs": json.dumps({"BASE": base}), "labels": json.dumps({OURS: "true"})}
    query = urlencode({"t": tag, "rm": "1", "forcerm": "1", "dockerfile": DOCKERFILE, **settings})
    identifier = _run(engine, tag, query, _context(files), request.limit_seconds, base_name)
    return {"image": tag, "id": identifier, "built": True}


def unpacked_files(text: str) -> dict[str, str]:
    """Raises Refusal."""
    try:
        files = json.loads(unpacked(text))
        return {str(path): str(content) for path, content in files.items()}
    except (ValueError, OSError, AttributeError):
        raise Refusal("the request's files cannot be unpacked: run the command again from a whole checkout") from None


def _key(base: str, files: Mapping[str, str]) -> str:
    content = json.dumps([base, files], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:TAG_DIGITS]


def _context(files: Mapping[str, str]) -> bytes:
    """The files as a tar; the same files give the same bytes, so that Docker's build cache holds."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for path in sorted(files):
            data = files[path].encode()
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


def _run(engine: Engine, tag: str, query: str, archive: bytes, limit: float, source: str) -> str:
    """The id of the image built from that tar, with its steps on stderr; raises Refusal with the build's last lines."""
    began = time.monotonic()
    last: deque[str] = deque(maxlen=LAST_LINES)
    for line in engine.send(f"/build?{query}", archive, limit):
        message = parsed(line) or {}
        if "error" in message:
            reason = str(message["error"]).strip().splitlines()[0]
            raise Refusal(
                f"{tag} cannot be built from {source} ({reason}): fix what its last lines say, then run again; "
                "nothing that serves has been touched" + "".join(f"\n{text}" for text in last)
            )
        for output in str(message.get("stream", "")).splitlines():
            if output.strip():
                last.append(output)
            if output.startswith("Step "):
                print(output, file=sys.stderr, flush=True)
        if time.monotonic() - began > limit:
            raise Refusal(
                f"{tag} was not built within {limit:.0f} s and was stopped: run again, finished steps are kept"
                + "".join(f"\n{text}" for text in last)
            )
    made = engine.find(f"/images/{quote(tag)}/json")
    if made is None:
        raise Refusal(f"{tag} was built and is missing: check the Docker engine's log, then run again")
    return str(made["Id"])
