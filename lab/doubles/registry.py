"""A double of a container registry, for the tests of `make pin`: manifests' digests, behind Docker's token protocol.

It gives what the OCI distribution specification and Docker's registries give to `HEAD /v2/NAME/manifests/TAG`: 401 with
a challenge without a token, 404 for an unknown manifest, else `Docker-Content-Digest`. Serves loopback only.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "for-nobody-in-particular"


@contextmanager
def serving(digests: Mapping[str, str]) -> Generator[str]:
    """Its name as an image's name has it, such as 127.0.0.1:5000; `digests` by NAME:TAG."""

    class Registry(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            parts = urlsplit(self.path).path.split("/")
            name, tag = "/".join(parts[2:-2]), parts[-1]
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                realm = f"http://{self.headers['Host']}/token"
                challenge = f'Bearer realm="{realm}",service="double",scope="repository:{name}:pull"'
                self._answer(401, {"WWW-Authenticate": challenge})
            elif f"{name}:{tag}" not in digests or "image.index" not in self.headers.get("Accept", ""):
                self._answer(404, {})
            else:
                self._answer(200, {"Docker-Content-Digest": digests[f"{name}:{tag}"]})

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            right = query.get("service") == ["double"] and query["scope"][0].endswith(":pull")
            self._answer(200 if right else 400, {}, json.dumps({"token": TOKEN}).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test's output is its own."""

        def _answer(self, status: int, headers: Mapping[str, str], content: bytes = b"") -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
