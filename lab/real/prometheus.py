"""Prometheus and promtool as programs of this machine, out of the lab's own image, for tests that need no container.

Owns: unpacking them once beside the image's layer, and running one for a test.
Deliberately does not: install anything; where `prometheus` is not in PATH, the image's layer is made (root, Debian).
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from console.errors import UserError
from console.paths import LOGS
from console.progress import Progress
from lab.box import tools
from lab.box.lock import held
from lab.images import store
from lab.images.recipes import MONITORING

_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_PROGRAMS = ("usr/bin/prometheus", "usr/bin/promtool")


@dataclass(frozen=True)
class Programs:
    """Command lines, to be followed by arguments."""

    prometheus: tuple[str, ...]
    promtool: tuple[str, ...]


@cache
def programs() -> Programs:
    """Both programs; raises UserError where they can neither be found nor made."""
    found = {name: shutil.which(name) for name in ("prometheus", "promtool")}
    if found["prometheus"] and found["promtool"]:
        return Programs((found["prometheus"],), (found["promtool"],))
    layer = MONITORING.tar(store.CACHE)
    if not layer.exists():
        progress = Progress(LOGS)
        tools.require(progress)
        store.build(progress, ("prometheus",))
    folder = store.CACHE.parent / "programs" / MONITORING.key
    with held(folder.with_name("lock"), "unpacking Prometheus", print):
        if not folder.exists():
            _unpack(layer, folder)
    # With its own C library: the image's Debian may be newer than this machine's.
    loader = (str(folder / _LIBRARIES / "ld-linux-x86-64.so.2"), "--library-path", str(folder / _LIBRARIES))
    ready = Programs(*((*loader, str(folder / "usr" / "bin" / name)) for name in ("prometheus", "promtool")))
    check = subprocess.run([*ready.promtool, "--version"], capture_output=True, text=True, check=False)
    if check.returncode:
        raise UserError(f"promtool out of the lab's image does not run here: {check.stderr.strip()}")
    return ready


@dataclass(frozen=True)
class Running:
    """A Prometheus on loopback. `query` is its instant query: the series' labels (without name) to their values."""

    port: int

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its HTTP API."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        found = self.get("query", query=expression)["result"]
        return [
            ({key: value for key, value in one["metric"].items() if key != "__name__"}, float(one["value"][1]))
            for one in found
        ]

    def wait_for(self, expression: str, limit_seconds: float = 30) -> None:
        """Until the query has a result; raises TimeoutError."""
        deadline = time.monotonic() + limit_seconds
        while not self.query(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"nothing for {expression} in {limit_seconds:g} s")
            time.sleep(0.1)


@contextmanager
def running(configuration: str, folder: Path, *flags: str, port: int = 0) -> Generator[Running]:
    """Prometheus with this configuration on loopback, ready, on a free port unless `port` is given.

    Its data is in `folder` and stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prometheus.yml"
    file.write_text(configuration)
    with socket.create_server(("127.0.0.1", port)) as free:
        port = free.getsockname()[1]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [
                *programs().prometheus,
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                *flags,
            ],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        _wait_until_ready(process, port, folder / "log")
        yield Running(port)
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Prometheus is not ready: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)


def _unpack(layer: Path, folder: Path) -> None:
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    with tarfile.open(layer) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            library = name.startswith(f"{_LIBRARIES}/") and ".so" in name and "/" not in name[len(_LIBRARIES) + 1 :]
            if name in _PROGRAMS or library:
                tar.extract(member, beside, filter="fully_trusted")
    beside.rename(folder)
