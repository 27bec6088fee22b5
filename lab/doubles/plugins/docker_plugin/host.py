"""Reaches a Docker daemon on a unix socket or through ssh.

Owns: one API client a thread; for `ssh://` a local socket whose connections each run `docker system dial-stdio` there.
Deliberately does not: decide which host is allowed.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

from docker import APIClient
from docker.errors import DockerException

from lab.doubles.plugins.frame.serve import PluginError

_TIMEOUT_SECONDS = 120


class DockerHost:
    def __init__(self, host: str, ssh_options: list[str]) -> None:
        self._host = host
        self._ssh_options = ssh_options
        self._clients = threading.local()
        self._tunnel: _SshTunnel | None = None
        self._opening = threading.Lock()

    def client(self) -> APIClient:
        """The calling thread's client."""
        found: APIClient | None = getattr(self._clients, "client", None)
        if found is None:
            try:
                found = APIClient(base_url=self._address(), version="auto", timeout=_TIMEOUT_SECONDS)
            except DockerException as error:
                raise PluginError(
                    f"Cannot connect to the Docker daemon at {self._host}: {error}; start it (for the lab: make up)."
                ) from error
            self._clients.client = found
        return found

    def close(self) -> None:
        if self._tunnel is not None:
            self._tunnel.close()

    def _address(self) -> str:
        if urlsplit(self._host).scheme != "ssh":
            return self._host
        with self._opening:
            if self._tunnel is None:
                self._tunnel = _SshTunnel(self._host, self._ssh_options)
        return self._tunnel.address


class _SshTunnel:
    def __init__(self, host: str, options: list[str]) -> None:
        target = urlsplit(host)
        self._argv = ["ssh", *options, *(["-l", target.username] if target.username else [])]
        self._argv += ["-p", str(target.port or 22), "--", target.hostname or "", "docker system dial-stdio"]
        self._folder = tempfile.mkdtemp(prefix="sc-docker-")
        self._children: list[subprocess.Popen[bytes]] = []
        self._socket = socket.socket(socket.AF_UNIX)
        path = Path(self._folder, "s")
        self._socket.bind(str(path))
        self._socket.listen()
        self.address = f"unix://{path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()
        for child in self._children:
            child.terminate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._children = [child for child in self._children if child.poll() is None]
                self._children.append(
                    subprocess.Popen(
                        self._argv, stdin=connection.fileno(), stdout=connection.fileno(), start_new_session=True
                    )
                )
