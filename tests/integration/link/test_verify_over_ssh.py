"""`verify` over ssh to a hardened host: its verbs and its calls share the one connection."""

from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from hostctl.build import build
from lab.benchmarks import link
from lab.link.sshd import Server, server
from verify.documents import Host
from verify.host import HostConnection, HostRefused


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"mcp\n")

    def log_message(self, format: str, *args: object) -> None:
        return


def host(running: Server, program: Path) -> Host:
    named = {"address": running.target.address, "user": running.target.user, "port": running.target.port}
    keys = {"private_key_file": running.target.private_key_file, "host_key": running.target.host_key}
    own = {"program": str(program), "docker_socket": "/run/no-docker.sock"}
    return Host.model_validate({"kind": "ssh", **named, **keys, **own})


def test_a_verb_and_calls_side_by_side_through_a_port_have_one_login(tmp_path: Path) -> None:
    program = tmp_path / "hostctl.pyz"
    build(str(program))

    async def calls(connection: HostConnection, port: int) -> list[str]:
        async with (
            connection.transport("127.0.0.1", port) as transport,
            httpx2.AsyncClient(transport=transport) as http,
        ):
            answers = await asyncio.gather(*(http.get(f"http://127.0.0.1:{port}/{number}") for number in range(6)))
        return [answer.text for answer in answers]

    with server(tmp_path / "sshd") as running, ThreadingHTTPServer(("127.0.0.1", 0), Answering) as there:
        threading.Thread(target=there.serve_forever, daemon=True).start()
        connection = HostConnection(host(running, program))
        assert asyncio.run(calls(connection, there.server_port)) == ["mcp\n"] * 6
        with pytest.raises(HostRefused, match=r"/run/no-docker\.sock"):
            asyncio.run(connection.hostctl("docker", "check", {}, 20))
        there.shutdown()
        assert running.logins() == 1


def test_a_host_that_is_not_reached_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with server(tmp_path / "sshd") as running:
        gone = host(running, tmp_path)
    with pytest.raises(HostRefused, match=r"Connection refused: check the network, host\.address and host\.port"):
        asyncio.run(HostConnection(gone).hostctl("docker", "check", {}, 20))


def test_an_action_takes_at_most_half_of_the_time_that_it_takes_with_a_connection_of_its_own() -> None:
    taken = link.take(3)
    assert taken["shared_s"] <= taken["own_s"] / 2
