"""The official downloads: plugins, and the engine's archive, whose SHA-256 is checked before anything of it is used."""

from __future__ import annotations

import hashlib
import os
import platform
import tarfile
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from console.errors import UserError
from console.progress import Step
from toolchain.parts import ENGINE_VERSION, PROGRAMS, Plugin

RELEASES = "https://get.pulumi.com/releases/sdk"
PLUGIN_RELEASES = "https://get.pulumi.com/releases/plugins"
CONNECT_SECONDS = 2.5
ANSWER_SECONDS = 3.0
STALL_SECONDS = 30.0
CHUNK_BYTES = 1 << 20


class NotReachable(Exception):
    """No answer in time, or not the requested file; the message is for the log."""


def checksums(releases: str = RELEASES, answer_seconds: float = ANSWER_SECONDS) -> str:
    """The release's list of SHA-256 sums; raises NotReachable within `answer_seconds`.

    In a thread of its own, because a name server that is silent cannot be given a time limit otherwise.
    """
    answer: list[str] = []
    reasons: list[str] = ["no answer"]

    def fetch() -> None:
        try:
            with _open(f"{releases}/pulumi-{ENGINE_VERSION}-checksums.txt", CONNECT_SECONDS) as response:
                answer.append(response.read(CHUNK_BYTES).decode("ascii", "replace"))
        except (OSError, ValueError) as error:
            reasons.append(str(error))

    fetching = threading.Thread(target=fetch, daemon=True)
    fetching.start()
    fetching.join(answer_seconds)
    if not answer:
        raise NotReachable(f"{releases}: {reasons[-1]}")
    return answer[0]


def engine(into: Path, sums: str, step: Step, releases: str = RELEASES) -> None:
    """Fetch the release archive and put its programs into the folder; raises NotReachable or UserError."""
    name = archive_name()
    expected = {line.split()[1]: line.split()[0] for line in sums.splitlines() if len(line.split()) == 2}
    if name not in expected:
        raise NotReachable(f"the release has no {name}")
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=into) as archive:
        digest = _fetch(f"{releases}/{name}", archive, step)
        if digest != expected[name]:
            raise UserError(
                f"The SHA-256 of {releases}/{name} is {digest}, but its release says {expected[name]}, so the file was "
                "not used: run again, and if that does not help ask whoever runs your network."
            )
        archive.seek(0)
        _unpack(archive, into)


def plugin(wanted: Plugin, home: Path, pulumi: Path, step: Step) -> bool:
    """Install a plugin into a PULUMI_HOME with the engine's own command; False when it could not."""
    arguments = ["plugin", "install", "resource", wanted.name, wanted.version, "--server", PLUGIN_RELEASES]
    environment = {"PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "1"}
    return step.call([pulumi, *arguments], environment=environment, check=False) == 0


def archive_name() -> str:
    """As in https://get.pulumi.com/install.sh: x64 and arm64."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())
    return f"pulumi-v{ENGINE_VERSION}-{platform.system().lower()}-{machine}.tar.gz"


def put(content: IO[bytes], path: Path) -> None:
    """Write an executable beside its place and rename it, so that a killed run leaves no half of one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as out:
            while chunk := content.read(CHUNK_BYTES):
                out.write(chunk)
        beside.chmod(0o755)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _open(address: str, seconds: float) -> IO[bytes]:
    return urllib.request.urlopen(address, timeout=seconds)


def _fetch(address: str, into: IO[bytes], step: Step) -> str:
    digest, size = hashlib.sha256(), 0
    try:
        with _open(address, STALL_SECONDS) as response:
            while chunk := response.read(CHUNK_BYTES):
                digest.update(chunk)
                into.write(chunk)
                size += len(chunk)
                step.say(f"downloading, {size >> 20} MB")
    except (OSError, urllib.error.URLError) as error:
        raise NotReachable(f"{address}: {error}") from error
    return digest.hexdigest()


def _unpack(archive: IO[bytes], into: Path, wanted: Sequence[str] = tuple(p.executable for p in PROGRAMS)) -> None:
    with tarfile.open(fileobj=archive, mode="r:gz") as members:
        for member in members:
            name = Path(member.name).name
            content = members.extractfile(member) if member.isfile() and name in wanted else None
            if content:
                put(content, into / name)
