"""`header install|remove`: the program prints the token that the gateway on the port accepts, whoever that is."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hostctl.claude_client import header
from hostctl.claude_client.request import EntryRequest
from tests.unit.hostctl.claude_client.cases import act, document


@dataclass
class Gateway:
    """The port, and the tokens that the gateway behind it accepts; refuses connections until it serves."""

    accepted: set[str] = field(default_factory=set[str])
    seen: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                gateway.seen.append(self.headers["Authorization"])
                self.send_response(404 if gateway.seen[-1] in gateway.accepted else 401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.server_bind()
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/mcp"

    def serve(self) -> None:
        self._server.server_activate()
        self._thread.start()

    def end(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def silent() -> Generator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.end()


@pytest.fixture
def gateway(silent: Gateway) -> Gateway:
    silent.serve()
    return silent


def write_token(home: Path, token: str) -> None:
    (home / ".mcp-token").chmod(0o600)
    (home / ".mcp-token").write_text(token + "\n")


def cut_over(home: Path, gateway: Gateway) -> dict[str, Any]:
    """Claude's files once Sentinel serves, whose token is `new`; ContextForge's were `old`."""
    values = document(home, url=gateway.url)
    act("record", values)
    write_token(home, "new")
    act("apply", values)
    return values


def printed(values: dict[str, Any]) -> str:
    ran = subprocess.run([values["helper"]], capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)["Authorization"]


def test_while_sentinel_serves_its_token_is_printed_and_contextforges_is_not_even_sent(
    home: Path, gateway: Gateway
) -> None:
    values, gateway.accepted = cut_over(home, gateway), {"Bearer new"}
    assert printed(values) == "Bearer new"
    assert gateway.seen == ["Bearer new"]


def test_as_soon_as_contextforge_serves_its_token_is_printed_before_any_file_is_restored(
    home: Path, gateway: Gateway
) -> None:
    values, gateway.accepted = cut_over(home, gateway), {"Bearer old"}
    assert printed(values) == "Bearer old"


def test_a_session_that_began_on_sentinel_gets_contextforges_token_long_after_the_rollback(
    home: Path, gateway: Gateway
) -> None:
    values, gateway.accepted = cut_over(home, gateway), {"Bearer old"}
    act("forget", values)
    # Another run of the engine, with ContextForge on the port.
    assert header.install(EntryRequest(**values)) == {"helper": values["helper"], "changed": False}
    (home / ".mcp-token").unlink()
    assert printed(values) == "Bearer old"


def test_a_token_that_is_written_right_after_the_handover_is_waited_for(home: Path, gateway: Gateway) -> None:
    values, gateway.accepted = cut_over(home, gateway), {"Bearer rotated"}
    rotation = threading.Timer(0.5, write_token, (home, "rotated"))
    rotation.start()
    assert printed(values) == "Bearer rotated"
    rotation.join()


def test_the_silence_of_a_handover_is_waited_for(home: Path, silent: Gateway) -> None:
    values, silent.accepted = cut_over(home, silent), {"Bearer old"}
    opened = threading.Timer(0.5, silent.serve)
    opened.start()
    assert printed(values) == "Bearer old"
    opened.join()


def test_where_every_token_is_refused_the_token_files_own_is_printed_in_time_for_claude(
    home: Path, gateway: Gateway
) -> None:
    values = cut_over(home, gateway)
    began = time.monotonic()
    assert printed(values) == "Bearer new"
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("content", ["", 'quoted"', "two words", "ümlaut"])
def test_a_token_file_without_a_token_is_named_and_nothing_is_printed(
    home: Path, gateway: Gateway, content: str
) -> None:
    values = cut_over(home, gateway)
    write_token(home, content)
    Path(values["folder"], "authorizations").unlink()
    ran = subprocess.run([values["helper"]], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"{home}/.mcp-token holds no token\n"


def test_contextforges_values_are_readable_for_claudes_user_alone(home: Path, gateway: Gateway) -> None:
    if os.geteuid() == 0:
        os.chown(home / ".claude.json", 10001, 10001)
    values = cut_over(home, gateway)
    status = Path(values["folder"], "authorizations").stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_uid == (home / ".claude.json").stat().st_uid


def test_once_the_predecessor_is_retired_its_values_are_gone(home: Path, gateway: Gateway) -> None:
    cut_over(home, gateway)
    values = document(home, url=gateway.url, replaces="")
    act("record", values)
    act("apply", values)
    assert Path(values["folder"], "authorizations").read_text() == ""


def test_with_the_stack_everything_leaves_the_host(home: Path, gateway: Gateway) -> None:
    values = cut_over(home, gateway)
    act("forget", values)
    assert header.remove(EntryRequest(**values)) == {"helper": values["helper"], "removed": True}
    assert not Path(values["folder"]).exists()
    assert header.remove(EntryRequest(**values))["removed"] is False
