"""Shared backends of the engine: a bucket on an S3 server, and a database of a real PostgreSQL."""

from __future__ import annotations

import itertools
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path

import pytest

from console.paths import WORK
from lab.real.postgres import running_postgres
from tests.engine.test_run import project
from tests.soak import only_soak

__all__ = ["project"]

_LOCK = Path(__file__).with_name("requirements.lock")
_START_SECONDS = 30.0
_BUCKETS = itertools.count(1)


@pytest.fixture(scope="session")
def s3() -> Generator[str]:
    """The address of an S3 server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [_moto() / "bin" / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _make_bucket(f"http://127.0.0.1:{port}/first", server)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(params=[pytest.param("s3", marks=only_soak("CI has S3 for the lock")), "postgres"])
def backend(request: pytest.FixtureRequest, project: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """`PULUMI_BACKEND_URL`, set for the operator's commands as in a shell."""
    if request.param == "s3":
        address = request.getfixturevalue("s3")
        for name, value in (("ACCESS_KEY_ID", "tests"), ("SECRET_ACCESS_KEY", "tests"), ("REGION", "eu-central-1")):
            monkeypatch.setenv(f"AWS_{name}", value)
        bucket = f"states-{next(_BUCKETS)}"
        _make_bucket(f"http://{address}/{bucket}")
        url = f"s3://{bucket}?region=eu-central-1&endpoint={address}&disableSSL=true&s3ForcePathStyle=true"
        monkeypatch.setenv("PULUMI_BACKEND_URL", url)
        yield url
        return
    with running_postgres() as database:
        url = f"{database.url()}?sslmode=disable"
        monkeypatch.setenv("PULUMI_BACKEND_URL", url)
        yield url


def _moto() -> Path:
    """The server's virtual environment, made at the first call."""
    folder = WORK / "moto"
    if not (folder / "bin" / "moto_server").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", folder], check=True)
        python = folder / "bin" / "python"
        subprocess.run([uv, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", _LOCK], check=True)
    return folder


def _make_bucket(address: str, server: subprocess.Popen[bytes] | None = None) -> None:
    """A bucket of a server that may still load; it ends by itself where it cannot."""
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(address, method="PUT"), timeout=10).close()
            return
        except OSError:
            assert server and server.poll() is None and time.monotonic() < end, f"no S3 server at {address}"
            time.sleep(0.1)
