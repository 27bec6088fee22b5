"""One open session of the real Claude Code, which a test makes call tools at moments of its choice.

Owns: the process, and the outcome of each call as the client's own output has it.
Deliberately does not: start a model's API (`model.py`) or configure the client.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from hostctl.core.documents import rows

ANSWER_SECONDS = 90.0
_KEPT_FROM_LEAVING = ("DISABLE_TELEMETRY", "DISABLE_AUTOUPDATER", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC")


@dataclass(frozen=True)
class Called:
    """One call: the tool as the client offered it to the model, and what it gave back to the model."""

    tool: str
    text: str
    failed: bool
    began: float
    seconds: float


class NotOffered(Exception):
    """The client offered the model no tool of that name; the text has those that it did."""


class Session:
    """A session that stays open from `with` to the block's end; `home` has Claude's file."""

    def __init__(
        self,
        claude: Path,
        home: Path,
        model_port: int,
        within: Callable[[Sequence[str]], Sequence[str]] = list,
        allowed: Sequence[str] = ("mcp__sentinel", "mcp__contextforge"),
    ) -> None:
        streams = ["--input-format", "stream-json", "--output-format", "stream-json"]
        self._command = within([str(claude), "-p", "--verbose", *streams, "--allowedTools", *allowed])
        self._environment: Mapping[str, str] = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{model_port}",
            "ANTHROPIC_API_KEY": "sk-ant-not-a-key-of-anybody",
            # Otherwise the client defers tools, and the model's request has none of them.
            "ENABLE_TOOL_SEARCH": "false",
            **dict.fromkeys(_KEPT_FROM_LEAVING, "1"),
        }
        self._home = home
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.transcript: list[Called] = []
        self.output: list[str] = []

    def __enter__(self) -> Session:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(self._environment),
            cwd=self._home,
        )
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def call(self, pattern: str, **arguments: Any) -> Called:
        """Have the first offered tool called that the pattern finds; raises NotOffered."""
        began = time.monotonic()
        self._say(f"call {pattern} {json.dumps(arguments)}")
        tool, result = "", None
        while (event := self._event())["type"] != "result":
            for part in _parts(event):
                if part.get("type") == "tool_use":
                    tool = str(part["name"])
                elif part.get("type") == "tool_result":
                    result = part
        if result is None:
            raise NotOffered(str(event.get("result")))
        called = Called(
            tool, _text(result.get("content")), bool(result.get("is_error")), began, time.monotonic() - began
        )
        self.transcript.append(called)
        return called

    def offered(self) -> list[str]:
        """The MCP tools that the client offers to the model now."""
        self._say("which tools?")
        while (event := self._event())["type"] != "result":
            pass
        return json.loads(str(event["result"]))

    def await_tool(self, name: str) -> None:
        """Until the client offers this tool: it connects to its servers beside the first messages."""
        end = time.monotonic() + ANSWER_SECONDS
        while name not in (offered := self.offered()):
            assert time.monotonic() < end, (offered, self.output[:2])
            time.sleep(0.5)

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None
        message = {"role": "user", "content": [{"type": "text", "text": text}]}
        self._process.stdin.write(json.dumps({"type": "user", "message": message}) + "\n")
        self._process.stdin.flush()

    def _event(self) -> dict[str, Any]:
        return self._events.get(timeout=ANSWER_SECONDS)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            if line.startswith("{"):
                self._events.put(json.loads(line))


def _parts(event: dict[str, Any]) -> list[dict[str, Any]]:
    return rows(event.get("message", {}).get("content"))


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(str(part.get("text", "")) for part in rows(content))
