"""One call to each backend: every kind of bad answer has its own message."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from hostctl.mcp import call_tools
from hostctl.mcp.probe import Expectation, Probe

HEADERS = {"Authorization": "Bearer good"}
ANSWERS: dict[str, Any] = {
    "good": {"result": {"content": [{"type": "text", "text": "projects, notes"}]}},
    "broken": {"result": {"isError": True, "content": [{"type": "text", "text": "no such   table"}]}},
    "unknown": {"error": {"code": -32602, "message": "Unknown tool"}},
}


class Gateway(BaseHTTPRequestHandler):
    """A session that must be opened and is ended; a tool named `stream…` is answered as an event stream."""

    ended: ClassVar[list[str]] = []
    ids: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != HEADERS["Authorization"]:
            return self._answer(401, b"")
        if message["method"] == "initialize":
            return self._answer(200, json.dumps({"id": 0, "result": {}}).encode(), {"Mcp-Session-Id": "s1"})
        if self.headers["Mcp-Session-Id"] != "s1":
            return self._answer(404, b"")
        if "id" not in message:
            return self._answer(202, b"")
        if message["id"] in self.ids:
            # As the bridge says while a call under that id is on its way.
            return self._answer(400, b"")
        self.ids.append(message["id"])
        tool = message["params"]["name"]
        answer = json.dumps({"jsonrpc": "2.0", "id": message["id"], **ANSWERS[tool.removeprefix("stream-")]}).encode()
        if tool.startswith("stream-"):
            progress = b'event: message\ndata: {"method": "notifications/progress", "params": {}}\n\n'
            answer = b": still here\n\n" + progress + b"event: message\ndata: " + answer + b"\n\n"
        return self._answer(200, answer)

    def do_DELETE(self) -> None:
        self.ended.append(self.headers["Mcp-Session-Id"])
        self._answer(200, b"")

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        kind = "text/event-stream" if content.startswith(b":") else "application/json"
        for key, value in {"Content-Type": kind, **(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def url() -> Generator[str]:
    Gateway.ended.clear()
    Gateway.ids.clear()
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=serving.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}/mcp"
    serving.shutdown()
    serving.server_close()


def probe(tool: str, **expected: Any) -> Probe:
    return Probe(tool, tool, expect=Expectation(**expected), timeout_seconds=5)


def test_each_answer_is_judged_on_its_own_and_the_session_is_ended(url: str) -> None:
    probes = [probe(tool) for tool in ("good", "stream-good", "broken", "unknown")]
    assert call_tools.call_all(url, HEADERS, probes) == {
        "good": "",
        "stream-good": "",
        "broken": "no such table",
        "unknown": "Unknown tool",
    }
    assert Gateway.ended == ["s1"]


@pytest.mark.parametrize(
    ("expected", "fault"),
    [
        ({"contains": ("projects",)}, ""),
        ({"contains": ("gardens",)}, "'gardens' is not in the answer"),
        ({"excludes": ("notes",)}, "'notes' is in the answer"),
    ],
)
def test_what_the_answer_must_and_must_not_hold(url: str, expected: dict[str, Any], fault: str) -> None:
    assert call_tools.call_all(url, HEADERS, [probe("good", **expected)]) == {"good": fault}


def test_a_refused_token_is_reported_for_every_probe_and_without_the_token(url: str) -> None:
    found = call_tools.call_all(url, {"Authorization": "Bearer bad"}, [probe("good"), probe("broken")])
    assert found == dict.fromkeys(("good", "broken"), "the token is refused (HTTP 401)")


def test_nobody_on_the_port_is_no_traceback() -> None:
    (fault,) = call_tools.call_all("http://127.0.0.1:1/mcp", HEADERS, [probe("good")]).values()
    assert fault == "no connection (Connection refused)"
