"""A gateway that serves one request at a time, with a tool for each way of not answering as it should.

`silent` never answers, `large` answers with 17 MB, `long` with 15 MB, `unread` with an error under the id null, `sleep`
takes a second, `end` ends the process; any other tool answers with its own name.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

_BYTES = {"large": 17 * 1024 * 1024, "long": 15 * 1024 * 1024}


def answer(own_id: Any, **members: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", "id": own_id, **members}), flush=True)


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        method, own_id, parameters = message["method"], message.get("id"), message.get("params", {})
        if method == "initialize":
            answer(own_id, result={"protocolVersion": "2025-03-26", "capabilities": {"tools": {}}})
        elif method == "tools/list":
            answer(own_id, result={"tools": []})
        elif own_id is not None:
            call(own_id, str(parameters.get("name")))


def call(own_id: Any, tool: str) -> None:
    if tool == "sleep":
        time.sleep(1)
    if tool == "end":
        sys.exit(1)
    if tool == "unread":
        answer(None, error={"code": -32700, "message": "Parse error"})
    elif tool != "silent":
        text = "x" * _BYTES[tool] if tool in _BYTES else tool
        answer(own_id, result={"content": [{"type": "text", "text": text}]})


if __name__ == "__main__":
    main()
