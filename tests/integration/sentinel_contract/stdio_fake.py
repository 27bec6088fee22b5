"""A stdio MCP server that misbehaves where it is made to: the backend of the contract's scenarios.

Standard library only, and started without site-packages: each backend is a short script that calls `main(OPTIONS)`.
It writes each event into a diary, one JSON document a line: start, stderr, in (a message), signal, eof.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

STRICT = {
    "type": "object",
    "properties": {"q": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["q"],
    "additionalProperties": False,
}
TOOLS = [
    "echo", "strict", "meta", "iserror", "rpcerror", "both", "nullresult", "nonjson", "progress", "request",
    "sleep", "noanswer", "stringid", "len", "big", "pid", "die", "badutf8", "raw",
]  # fmt: skip
"""Nineteen tools: the recording counts them."""


class Server:
    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.diary = open(options["diary"], "a")  # noqa: SIM115 - open as long as the process
        self.prefix: str = options.get("prefix", "")
        self.own_calls = 0

    def note(self, event: str, **more: Any) -> None:
        print(
            json.dumps({"at": time.monotonic(), "event": event, "pid": os.getpid(), **more}),
            file=self.diary,
            flush=True,
        )

    def write(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def answer(self, own_id: Any, result: Any) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", "id": own_id, "result": result}))

    def text(self, own_id: Any, text: str, **more: Any) -> None:
        self.answer(own_id, {"content": [{"type": "text", "text": text}], **more})

    def stderr(self, text: str) -> str:
        """Write to stderr, and return what came of it."""
        try:
            os.write(2, text.encode() + b"\n")
        except OSError as error:
            return error.strerror or "failed"
        return "written"

    def run(self) -> None:
        self.note("start", argv=sys.argv[1:], environment=dict(os.environ), cwd=os.getcwd(), group=os.getpgid(0))
        for number in self.options.get("note_signals", ["SIGTERM"]):
            signal.signal(getattr(signal, number), self._signalled)
        if "stderr_at_start" in self.options:
            self.note("stderr", result=self.stderr("one line at start"))
        if self.options.get("exit_at_once"):
            sys.exit(3)
        for line in sys.stdin.buffer:
            message: dict[str, Any] = json.loads(line)
            self.note("in", message=message)
            if "method" in message:
                self.take(message)
        self.note("eof")
        if self.options.get("stubborn"):
            while True:
                time.sleep(1)

    def _signalled(self, number: int, frame: Any) -> None:
        self.note("signal", name=signal.Signals(number).name)
        if not self.options.get("stubborn"):
            os._exit(0)

    def take(self, message: dict[str, Any]) -> None:
        method, own_id = message["method"], message.get("id")
        way = self.options.get("way")
        if method == "initialize":
            time.sleep(self.options.get("initialize_seconds", 0))
            self._initialize(own_id, way)
        elif method == "tools/list":
            if way == "list_error":
                self.write(json.dumps({"jsonrpc": "2.0", "id": own_id, "error": {"code": -32601, "message": "none"}}))
            elif way == "paged":
                self.answer(own_id, {"tools": [self.described("t_echo")], "nextCursor": "more"})
            else:
                self.answer(own_id, {"tools": self.tools()})
        elif method == "tools/call":
            self.own_calls += 1
            self.call(own_id, message["params"])
        elif own_id is not None:
            self.answer(own_id, {})

    def _initialize(self, own_id: Any, way: str | None) -> None:
        result: dict[str, Any] = {
            "protocolVersion": "2025-03-26",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "fake", "version": "1"},
        }
        line = json.dumps({"jsonrpc": "2.0", "id": str(own_id) if way == "string_ids" else own_id, "result": result})
        if way == "init_error":
            line = json.dumps({"jsonrpc": "2.0", "id": own_id, "error": {"code": -32603, "message": "not now"}})
        before = {
            "nonjson": "starting up …",
            "jsonline": '{"level": "info", "message": "a log line in JSON"}',
            "before": '{"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}',
            "before_request_other_id": '{"jsonrpc": "2.0", "id": 900, "method": "roots/list"}',
        }
        if way in before:
            self.write(before[way])
        if way == "before_request_same_id":
            self.write(json.dumps({"jsonrpc": "2.0", "id": own_id, "method": "roots/list"}))
        self.write("\ufeff" + line if way == "bom" else line)

    def described(self, name: str) -> dict[str, Any]:
        schema = self.options.get("schemas", {}).get(name) or {"type": "object"}
        return {"name": name, "description": name, "inputSchema": STRICT if name == "strict" else schema}

    def tools(self) -> list[dict[str, Any]]:
        names = self.options.get("names") or [self.prefix + name for name in self.options.get("tools", TOOLS)]
        return [self.described(name) for name in names]

    def call(self, own_id: Any, params: dict[str, Any]) -> None:
        name: str = params["name"]
        arguments: dict[str, Any] = params.get("arguments") or {}
        handler = getattr(self, "tool_" + name.removeprefix(self.prefix), self.tool_echo)
        if self.options.get("stderr_in_calls"):
            self.text(own_id, self.stderr("a line in a call"))
        elif name in self.options.get("names", []):
            self.tool_echo(own_id, params, arguments)
        else:
            handler(own_id, params, arguments)

    def tool_echo(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.text(own_id, json.dumps(arguments.get("text", arguments)))

    def tool_meta(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.text(own_id, json.dumps(params))

    def tool_iserror(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.text(own_id, "tool failed", isError=True)

    def tool_rpcerror(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        error = {"code": -32050, "message": "own error", "data": {"x": 1}}
        self.write(json.dumps({"jsonrpc": "2.0", "id": own_id, "error": error}))

    def tool_both(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        result = {"content": [{"type": "text", "text": "x"}]}
        self.write(json.dumps({"jsonrpc": "2.0", "id": own_id, "result": result, "error": None}))

    def tool_nullresult(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.answer(own_id, None)

    def tool_nonjson(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.write("noise\n\n{not json")
        self.text(own_id, "after noise")

    def tool_progress(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        token = params.get("_meta", {}).get("progressToken")
        made = {"progressToken": token, "progress": 1, "total": 2}
        self.write(json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": made}))
        self.text(own_id, "done")

    def tool_request(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", "id": arguments.get("own", own_id), "method": "roots/list"}))
        self.text(own_id, "after request")

    def tool_sleep(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        time.sleep(arguments["s"])
        self.text(own_id, "slept")

    def tool_noanswer(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        pass

    def tool_stringid(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.text(str(own_id), "with a text as id")

    def tool_len(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.text(own_id, str(len(arguments["text"])))

    def tool_big(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.text(own_id, "x" * arguments["size"])

    def tool_pid(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.text(own_id, str(os.getpid()))

    def tool_die(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        os._exit(1)

    def tool_badutf8(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        sys.stdout.buffer.write(b'{"jsonrpc":"2.0","id":1,"result":"\xff\xfe"}\n')
        sys.stdout.buffer.flush()

    def tool_raw(self, own_id: Any, params: dict[str, Any], arguments: dict[str, Any]) -> None:
        self.write(arguments["line"].replace("ID", str(own_id)))


def main(options: dict[str, Any]) -> None:
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogatepass", newline="")  # pyright: ignore
    Server(options).run()
