"""One-shot containers: hardened, made for one command, and removed whatever happens.

`one-shot run` has an image's own program check the files that it will read; the container that runs with the former
files is not touched.

By default without network, capabilities, new privileges or a writable root, and with a memory limit. A killed run's
container is removed by the next one-shot: its label names the process that made it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine, TooLate

LABEL = "sentinel-cutover.one-shot"
LAST_LINES = 20
ALL_LINES = 10000
KILLED = (137, 143)
"""Exit codes of a program that SIGKILL or SIGTERM ended: of one that ran out of memory, or whose Docker went down."""
_MEGABYTE = 1024 * 1024
_PROGRAM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib64")


def _empty() -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class OneShot:
    """One container. `files` and `writable_files` map a path inside to one on the host; `volumes` are paths of unnamed
    volumes, `named_volumes` maps a path inside to a volume that is only read. Without a `command` the image's own
    runs."""

    image: str
    command: tuple[str, ...] = ()
    user: str = "0:0"
    environment: Mapping[str, str] = field(default_factory=_empty)
    network: str = "none"
    capabilities: tuple[str, ...] = ()
    memory_mb: int = 256
    init: bool = False
    files: Mapping[str, str] = field(default_factory=_empty)
    writable_files: Mapping[str, str] = field(default_factory=_empty)
    tmpfs: Mapping[str, str] = field(default_factory=_empty)
    volumes: tuple[str, ...] = ()
    named_volumes: Mapping[str, str] = field(default_factory=_empty)

    def body(self) -> dict[str, Any]:
        """The body of Docker's request to create it."""
        command = {"Entrypoint": [self.command[0]], "Cmd": list(self.command[1:])} if self.command else {}
        mounts = [
            *(_bind(target, source, read_only=True) for target, source in sorted(self.files.items())),
            *(_bind(target, source, read_only=False) for target, source in sorted(self.writable_files.items())),
            *({"Type": "volume", "Target": target} for target in self.volumes),
            *(
                {"Type": "volume", "Target": target, "Source": name, "ReadOnly": True}
                for target, name in sorted(self.named_volumes.items())
            ),
        ]
        return {
            "Image": self.image,
            **command,
            "User": self.user,
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "Healthcheck": {"Test": ["NONE"]},
            "Labels": {LABEL: _process(os.getpid())},
            "HostConfig": {
                "NetworkMode": self.network,
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "CapAdd": list(self.capabilities),
                "SecurityOpt": ["no-new-privileges:true"],
                "Memory": self.memory_mb * _MEGABYTE,
                "MemorySwap": self.memory_mb * _MEGABYTE,
                "Init": self.init,
                "Tmpfs": dict(self.tmpfs),
                "Mounts": mounts,
            },
        }


@dataclass(frozen=True)
class OneShotRequest:
    """`files` maps a path inside to one on the host, read-only."""

    image: str
    command: tuple[str, ...]
    user: str
    files: dict[str, Any] = field(default_factory=dict[str, Any])
    limit_seconds: float = 60
    docker_socket: str = ""


def check(request: OneShotRequest) -> dict[str, Any]:
    """Run the command; raises Refusal with its last lines when it does not end with 0."""
    began = time.monotonic()
    container = OneShot(request.image, request.command, request.user, files=request.files)
    code, output = run(Engine(request.docker_socket), container, request.limit_seconds)
    if code:
        raise Refusal(
            f"`{' '.join(request.command)}` ended with {code}: fix what it reports below, then run again; "
            f"the container that runs has not been touched\n{output}"
        )
    return {"command": list(request.command), "ms": round((time.monotonic() - began) * 1000)}


@contextmanager
def started(engine: Engine, one_shot: OneShot) -> Generator[str]:
    """The running container's id, while the block lasts. Raises DockerError."""
    _remove_orphans(engine)
    container: str = engine.post("/containers/create", one_shot.body())["Id"]
    try:
        engine.post(f"/containers/{container}/start")
        yield container
    finally:
        engine.delete(f"/containers/{container}?force=1&v=1")


def run(engine: Engine, one_shot: OneShot, seconds: float, lines: int = LAST_LINES) -> tuple[int, str]:
    """Run it to its end: exit code and last lines. Raises DockerError, TooLate where it does not end in time."""
    with started(engine, one_shot) as container:
        try:
            code: int = engine.post(f"/containers/{container}/wait", seconds=seconds)["StatusCode"]
        except TooLate:
            output = engine.log_tail(container, lines).strip()
            command = " ".join(one_shot.command)
            raise TooLate(f"`{command}` has not ended after {seconds:.0f} s: run again\n{output}", 0) from None
        return code, engine.log_tail(container, lines).strip()


def was_killed(engine: Engine, container: str) -> bool:
    """True where the container, or a process in it that ran out of memory, was ended from outside."""
    document = engine.find(f"/containers/{container}/json")
    state = table(table(document).get("State"))
    return document is None or bool(state.get("OOMKilled")) or not state.get("Running")


def reader(image: str, command: Sequence[str], file: str, network: str = "none") -> OneShot:
    """A command that may read `file` under the same path, as the file's owner."""
    owner = os.stat(file)
    return OneShot(image, tuple(command), f"{owner.st_uid}:{owner.st_gid}", network=network, files={file: file})


def host_programs() -> dict[str, str]:
    """The mounts that let any image run this host's own programs, this Python among them."""
    folders = [*_PROGRAM_FOLDERS, os.path.realpath(sys.base_prefix)]
    present = [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]
    return {folder: folder for folder in present if folder in _PROGRAM_FOLDERS or not _is_program_folder(folder)}


def any_image(engine: Engine, image: str = "", image_of: str = "") -> str:
    """An image that is on the host already: `image`, else that of the container `image_of`, else any container's, else
    any."""
    if image:
        return image
    container = containers.find(engine, image_of)
    if container is not None:
        return container.image
    for row in containers.listed(engine):
        return str(row["ImageID"])
    for row in rows(engine.get("/images/json")):
        return str(table(row)["Id"])
    raise Refusal(
        "this host's Docker has no image yet, and a one-shot container needs one: pull any ('docker pull busybox'), or "
        "run as root with firewall.escalation root"
    )


def _bind(target: str, source: str, read_only: bool) -> dict[str, Any]:
    return {"Type": "bind", "Target": target, "Source": source, "ReadOnly": read_only}


def _remove_orphans(engine: Engine) -> None:
    """Remove one-shot containers whose process has ended."""
    filters = quote('{"label":["' + LABEL + '"]}')
    for row in engine.get(f"/containers/json?all=1&filters={filters}"):
        maker = str(table(row.get("Labels")).get(LABEL, ""))
        process = maker.split(" ")[0]
        if not process.isdigit() or _process(int(process)) != maker:
            engine.delete(f"/containers/{row['Id']}?force=1&v=1")


def _process(process: int) -> str:
    """The process's id and the time of its start, such as "812 90211", since ids are reused; empty once it ended."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            # proc(5): the second field, in brackets, may hold blanks; the start is the 22nd.
            return f"{process} {file.read().rpartition(')')[2].split()[19]}"
    except OSError:
        return ""


def _is_program_folder(folder: str) -> bool:
    return any(folder.startswith(f"{top}/") for top in _PROGRAM_FOLDERS)
