"""With any one of these broken the run fails before the port is touched, says what to do, and ContextForge has answered
every probe throughout. The order matters: a case that a later check finds comes after those that an earlier one finds,
since a check that has passed is not made again in the next try.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.lab.broken_cutover.conftest import Staged
from tests.soak import only_soak

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

UNKNOWN_OWNER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class UnknownOwner(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"jsonrpc": "2.0", "id": 1, "result": {}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 9200), UnknownOwner)
print("listening", flush=True)
server.serve_forever()
"""
REFUSES_ITS_CONFIGURATION = (
    "RUN printf '#!/bin/sh\\n"
    'echo "Error: TOML parse error at line 2, column 1: unknown field listen" >&2\\n'
    "exit 1\\n' "
    "> /usr/local/bin/sentinel-gateway && chmod 755 /usr/local/bin/sentinel-gateway"
)


@contextmanager
def contextforges_image_gone(staged: Staged) -> Generator[None]:
    """Of a container of its project that is stopped: Docker takes no image away from one that runs."""
    lab = staged.lab
    image = lab.docker("commit", "mcp-context-forge-redis-1", "lab/worker:1")
    container = lab.docker(
        "create", "--name", "mcp-context-forge-worker-1", "--label", "com.docker.compose.project=mcp-context-forge",
        "--network", "mcp-context-forge_mcpnet", "lab/worker:1",
    )  # fmt: skip
    lab.docker("rmi", "--force", image)
    try:
        with staged.cutting_over():
            yield
    finally:
        lab.docker("rm", container)


@contextmanager
def port_held_by_another(staged: Staged) -> Generator[None]:
    """Off its network ContextForge lets the port go, and a process takes it."""
    with staged.contextforge_off_its_network():
        owner = subprocess.Popen(
            staged.lab.on_host([sys.executable, "-c", UNKNOWN_OWNER]), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        assert owner.stdout is not None
        try:
            assert owner.stdout.readline() == b"listening\n"
            with staged.cutting_over():
                yield
            assert owner.poll() is None
        finally:
            owner.terminate()
            owner.wait(10)


@contextmanager
def claudes_file_broken(staged: Staged) -> Generator[None]:
    file = Path(staged.lab.box.home) / ".claude.json"
    before = file.read_bytes()
    file.write_bytes(before[: len(before) // 2])
    try:
        with staged.cutting_over():
            yield
        assert file.read_bytes() == before[: len(before) // 2]
    finally:
        file.write_bytes(before)


@contextmanager
def postgres_down(staged: Staged) -> Generator[None]:
    """Paused, not stopped: the run would replace a stopped one over its volume and go on."""
    staged.lab.pause("sentinel-postgres")
    try:
        with staged.cutting_over():
            yield
    finally:
        staged.lab.docker("unpause", "sentinel-postgres")


@contextmanager
def gateway_and_token_disagree(staged: Staged) -> Generator[None]:
    token = Path(staged.lab.box.folder) / "handover-token"
    before = token.read_text()
    claims = jwt.decode(before.strip(), options={"verify_signature": False})
    token.write_text(jwt.encode(claims, "another-secret-of-at-least-32-bytes", algorithm="HS256") + "\n")
    try:
        with staged.cutting_over():
            yield
    finally:
        token.write_text(before)


@contextmanager
def one_backend_down(staged: Staged) -> Generator[None]:
    """Its name on the internal network leads to a container where nothing listens on its port."""
    lab, other = staged.lab, "mcp-context-forge-redis-1"
    lab.docker("network", "disconnect", "sentinel", "mcp-sqlite")
    lab.docker("network", "connect", "--alias", "sqlite", "sentinel", other)
    try:
        with staged.cutting_over():
            yield
    finally:
        lab.docker("network", "disconnect", "sentinel", other)
        lab.docker("network", "connect", "--alias", "sqlite", "sentinel", "mcp-sqlite")


@contextmanager
def an_upstream_unreachable(staged: Staged) -> Generator[None]:
    def unreachable(sections: dict[str, Any]) -> None:
        # The VPS's own address: ssh's port is open, the other is not.
        address = staged.lab.box.ssh.address
        sections["backends"][0]["upstream_hosts"] = [f"{address}:{staged.lab.box.ssh.port}", f"{address}:7"]

    with staged.cutting_over(unreachable):
        yield


@contextmanager
def sentinels_image_missing(staged: Staged) -> Generator[None]:
    with staged.cutting_over(lambda sections: sections["sentinel"].update(image="lab/nowhere:1.2.3")):
        yield


@contextmanager
def an_image_that_rejects_its_configuration(staged: Staged) -> Generator[None]:
    image = staged.image(REFUSES_ITS_CONFIGURATION)
    with staged.cutting_over(lambda sections: sections["sentinel"].update(image=image)):
        yield


Broken = Callable[[Staged], AbstractContextManager[None]]
CASES: dict[Broken, tuple[str, ...]] = {
    contextforges_image_gone: (
        "the image of mcp-context-forge-worker-1 (", "is gone, so there is no rollback to it: load it again",
    ),
    port_held_by_another: ("port 9200 is held by process ", "which is not a gateway: stop it or choose another port"),
    claudes_file_broken: (".claude.json is broken JSON at line ", "fix it there, then run again; it was left"),
    postgres_down: (
        "gate migrations: failed", "the container sentinel-postgres does not run or is paused",
        "'docker unpause sentinel-postgres', then run again", "ContextForge has not been touched and has the port.",
    ),
    gateway_and_token_disagree: (
        "gate token: failed", "the token that was made with the stack's jwt_secret is refused",
        "restart it ('docker restart sentinel-gateway-", "ContextForge has not been touched and has the port.",
    ),
    an_upstream_unreachable: (
        "gate upstream: failed", ":7: ", "let the edge network reach it", "ContextForge has not been touched",
    ),
    one_backend_down: (
        "sqlite ", "the backend", "then run again", "ContextForge has not been touched and has the port.",
    ),
    sentinels_image_missing: (
        "the image lab/nowhere:1.2.3 is not on the host and cannot be pulled (", "): load it there", "sentinel.image",
    ),
    an_image_that_rejects_its_configuration: (
        "TOML parse error at line 2, column 1: unknown field listen", "fix the cause, then run again",
        "the gateway that serves has not been touched",
    ),
}  # fmt: skip


ONLY_SOAK: dict[Broken, str] = {
    an_upstream_unreachable: "half a minute; tests/integration/verify/test_gates.py has its sentences"
}


@pytest.mark.parametrize(
    "broken",
    [pytest.param(broken, marks=only_soak(ONLY_SOAK[broken]) if broken in ONLY_SOAK else ()) for broken in CASES],
    ids=[broken.__name__ for broken in CASES],
)
def test_the_run_fails_before_the_port_is_touched_and_says_what_to_do(staged: Staged, broken: Broken) -> None:
    with broken(staged):
        before = staged.as_it_is()
        output = staged.fails()
        assert staged.as_it_is() == before
    for message in CASES[broken]:
        assert message in output
    assert "handover-port" not in output


def test_after_all_of_it_is_fixed_the_next_run_is_a_staged_sentinel_again(staged: Staged) -> None:
    code, output = staged.up()
    assert code == 0, output
    seen = staged.lab.verified()
    assert (seen["active"], seen["ok"]) == ("contextforge", True), seen
