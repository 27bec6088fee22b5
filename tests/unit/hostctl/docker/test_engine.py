"""The engine's client against a small stand-in: the agreed version, refusals, and engines that hang."""

from __future__ import annotations

import io
import threading
from collections.abc import Generator
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import pytest

from hostctl.docker import engine as docker_engine
from hostctl.docker.engine import DockerError, Engine, TooLate
from hostctl.docker.exec_streams import streamed
from tests.unit.hostctl.listed_docker import DockerHandler


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    api, oldest = "1.41", "1.12"
    requested: list[str]
    left: threading.Event


class _Handler(DockerHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.requested.append(self.path)
        if self.path == "/version":
            self.answer(200, {"ApiVersion": server.api, "MinAPIVersion": server.oldest})
        elif "/hung/" in self.path:
            # Until the client goes.
            self.rfile.read(1)
        else:
            self.answer(404, {"message": "No such container: x"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Upgrade"]:
            # A command that neither reads nor writes, until the client goes.
            self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
            server = self.server
            assert isinstance(server, _Server)
            server.left.wait(10)
        elif self.path.endswith("/start"):
            # A command that does not end, until the client goes.
            self.rfile.read(1)
        else:
            self.answer(201, {"Id": "0123"})


@pytest.fixture
def server(tmp_path: Path) -> Generator[_Server]:
    found = _Server(str(tmp_path / "docker.sock"), _Handler)
    found.requested, found.left = [], threading.Event()
    threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
    yield found
    found.left.set()
    found.shutdown()
    found.server_close()


@pytest.mark.parametrize(
    ("api", "oldest", "agreed"), [("1.41", "1.12", "1.41"), ("1.52", "1.44", "1.51"), ("1.60", "1.55", "1.55")]
)
def test_the_newest_version_that_both_know_is_used(server: _Server, api: str, oldest: str, agreed: str) -> None:
    server.api, server.oldest = api, oldest
    assert Engine(str(server.server_address)).find("/containers/x/json") is None
    assert server.requested == ["/version", f"/v{agreed}/containers/x/json"]


def test_a_refusal_carries_dockers_reason_and_status(server: _Server) -> None:
    with pytest.raises(DockerError, match="Docker refused GET /containers/x/json: No such container: x") as refused:
        Engine(f"unix://{server.server_address}").get("/containers/x/json")
    assert refused.value.status == 404


def test_an_engine_that_hangs_on_one_container_is_distinguished_from_one_that_is_down(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_engine, "REQUEST_SECONDS", 0.2)
    engine = Engine(str(server.server_address))
    assert engine.find("/containers/x/json") is None
    with pytest.raises(DockerError, match=r"within 0\.2 s: where 'docker ps' answers, it hangs on one container"):
        engine.get("/containers/hung/json")
    # Requested once: another try would hang as long.
    assert [path for path in server.requested if "hung" in path] == ["/v1.41/containers/hung/json"]


def test_a_command_that_does_not_end_is_reported_by_name(server: _Server) -> None:
    with pytest.raises(TooLate, match=r"^pg_dump in database did not end within 0\.2 s: see 'docker top database'$"):
        Engine(str(server.server_address)).inside("database", ["pg_dump", "--clean"], 0.2)


@pytest.mark.parametrize("feed", [None, b"x" * 4_000_000])
def test_a_command_whose_streams_stand_still_is_reported_by_name(server: _Server, feed: bytes | None) -> None:
    sentence = r"^psql in database read and wrote nothing for 0\.2 s: see 'docker top database'$"
    with pytest.raises(TooLate, match=sentence):
        streamed(Engine(str(server.server_address)), "database", ["psql"], 0.2, io.BytesIO(feed) if feed else None)
