"""`images build`: an image made on the host from one that is there and a few files, once for each content.

Owns: the tag, which names the base's digest and every file, so that what is there already is not built; the build over
Docker's API; its progress and its error. Deliberately does not: remove an image (a rollback starts the former one), nor
keep a build's containers.
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
from typing import Any
from urllib.parse import quote, urlencode

from hostctl.core.documents import Document, parsed, table
from hostctl.core.errors import Refusal
from hostctl.docker.engine import Engine

DOCKERFILE = "Dockerfile"
LAST_LINES = 20
TAG_DIGITS = 16


def build(document: Document) -> dict[str, Any]:
    """{"image": tag, "id", "built"}; raises Refusal with the build's last lines.

    The base's id goes to the Dockerfile as the argument BASE. `base_name` and `setting` are for the sentences.
    """
    engine, base = Engine(document.text("docker_socket")), document.text("base")
    files = {path: str(text) for path, text in table(document.object("files").values).items()}
    tag = f"{document.text('name')}:{_key(base, files)}"
    found = engine.find(f"/images/{quote(tag)}/json")
    if found is not None:
        return {"image": tag, "id": found["Id"], "built": False}
    base_name, setting = document.text("base_name"), document.text("setting")
    if engine.find(f"/images/{quote(base)}/json") is None:
        raise Refusal(
            f"{tag} cannot be built: its base {base_name} ({base[:19]}) is not on the host any more: load it there "
            f"('docker load -i FILE'), or correct {setting}, then run again"
        )
    print(f"building {tag} from {base_name}", file=sys.stderr, flush=True)
    query = urlencode(
        {"t": tag, "rm": "1", "forcerm": "1", "dockerfile": DOCKERFILE, "buildargs": json.dumps({"BASE": base})}
    )
    limit = document.seconds("limit_seconds", 3600)
    return {"image": tag, "id": _run(engine, tag, query, _context(files), limit, base_name), "built": True}


def _key(base: str, files: Mapping[str, str]) -> str:
    content = json.dumps([base, files], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:TAG_DIGITS]


def _context(files: Mapping[str, str]) -> bytes:
    """The same files give the same bytes, so that Docker's own cache of steps holds."""
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
        told = parsed(line) or {}
        if "error" in told:
            reason = str(told["error"]).strip().splitlines()[0]
            raise Refusal(
                f"{tag} cannot be built from {source} ({reason}): fix what its last lines say, then run again; "
                "nothing that serves has been touched" + "".join(f"\n{one}" for one in last)
            )
        for said in str(told.get("stream", "")).splitlines():
            if said.strip():
                last.append(said)
            if said.startswith("Step "):
                print(said, file=sys.stderr, flush=True)
        if time.monotonic() - began > limit:
            raise Refusal(
                f"{tag} is not built after {limit:.0f} s and was given up: run again, what is done is kept"
                + "".join(f"\n{one}" for one in last)
            )
    made = engine.find(f"/images/{quote(tag)}/json")
    if made is None:
        raise Refusal(f"{tag} was built and is not there: look at the Docker engine's log, then run again")
    return str(made["Id"])
