"""A Docker with given answers, on a socket of its own: only its containers, or one for each path."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any


class DockerHandler(BaseHTTPRequestHandler):
    """Answers in JSON on a Unix socket, without a log."""

    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        return

    def address_string(self) -> str:
        return "unix"


class _Handler(DockerHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        path = self.path.partition("?")[0]
        found = next((body for end, body in server.answers.items() if path.endswith(end)), None)
        self.answer(200 if found is not None else 404, found if found is not None else {"message": "none"})


class _Server(ThreadingUnixStreamServer):
    daemon_threads = True
    answers: dict[str, Any]


def listed(name: str, *sources: Path | str, state: str = "running", **more: Any) -> dict[str, Any]:
    """A container of ours as Docker lists it, with these paths mounted."""
    mounts = [{"Type": "bind", "Source": str(source)} for source in sources]
    labels = {"sentinel-cutover": "true"}
    return {"Id": f"{name}-id", "Names": [f"/{name}"], "State": state, "Mounts": mounts, "Labels": labels, **more}


@contextmanager
def docker(folder: Path, containers: list[dict[str, Any]]) -> Generator[str]:
    """The socket's path; a change of the list is the next answer."""
    with answering(folder, {"/version": {"ApiVersion": "1.41"}, "": containers}) as path:
        yield path


@contextmanager
def answering(folder: Path, answers: dict[str, Any]) -> Generator[str]:
    """The socket's path; the first end of a requested path that is in `answers` has the answer, else it is 404."""
    server = _Server(str(folder / "docker.sock"), _Handler)
    server.answers = answers
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield str(folder / "docker.sock")
    finally:
        server.shutdown()
        server.server_close()
