"""A stand-in for the model's API on loopback: `python model.py PORT`.

It answers a user's text "call PATTERN ARGUMENTS" with one call of the first tool that it is offered and that the
pattern finds, and everything else with a text. So the test decides which tool is called when, and the client decides
which tools there are.

Owns: the part of the Messages API that Claude Code uses in a session without a person.
Deliberately does not: judge a tool's result; the client's own output has it.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_NUMBERS = itertools.count(1)


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request: dict[str, Any] = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if not self.path.partition("?")[0].endswith("/messages"):
            self._send("application/json", json.dumps({"input_tokens": 1}).encode())
        elif request.get("stream"):
            self._send("text/event-stream", _events(_block(request), request.get("model")).encode())
        else:
            self._send("application/json", json.dumps(_message({"type": "text", "text": "ok"}, request)).encode())

    def do_GET(self) -> None:
        self._send("application/json", b"{}")

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        return

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _block(request: dict[str, Any]) -> dict[str, Any]:
    """The answer's one block: a call, or the names of the tools where there is nothing to call."""
    offered: list[str] = [tool["name"] for tool in request.get("tools", []) if tool.get("name")]
    # In a session's first request a message of the client's own comes after the user's.
    said = next(message for message in reversed(request["messages"]) if message["role"] == "user")
    content: Any = said["content"]
    texts: list[str] = (
        [content] if isinstance(content, str) else [part["text"] for part in content if part.get("type") == "text"]
    )
    wanted = next((text for text in reversed(texts) if text.startswith("call ")), "")
    if wanted:
        _, pattern, arguments = wanted.split(" ", 2)
        if name := next((name for name in offered if re.search(pattern, name)), None):
            call = {"id": f"toolu_{next(_NUMBERS)}", "name": name, "input": json.loads(arguments)}
            return {"type": "tool_use", **call}
    return {"type": "text", "text": json.dumps([name for name in offered if name.startswith("mcp__")])}


def _message(block: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    stop = "tool_use" if block["type"] == "tool_use" else "end_turn"
    return {
        "id": f"msg_{next(_NUMBERS)}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model"),
        "content": [block],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _events(block: dict[str, Any], model: object) -> str:
    whole = _message(block, {"model": model})
    if block["type"] == "tool_use":
        start: dict[str, Any] = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    else:
        start, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
    begun: dict[str, Any] = {**whole, "content": [], "stop_reason": None}
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": whole["usage"]},
        {"type": "message_stop"},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Model) as server:
        print("listens", flush=True)
        server.serve_forever()
