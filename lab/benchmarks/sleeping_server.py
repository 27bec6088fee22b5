"""A stdio backend for `processes.py`: `sleeping_server.py NAME`, with NAME_echo at once and NAME_sleep after `seconds`.

Standard library only, and one call at a time, as the gateway makes them.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def answer(name: str, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        info = {"name": name, "version": "1"}
        return {"protocolVersion": parameters["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [{"name": f"{name}_{kind}", "inputSchema": {"type": "object"}} for kind in ("echo", "sleep")]}
    time.sleep(parameters.get("arguments", {}).get("seconds", 0))
    return {"content": [{"type": "text", "text": name}]}


def main() -> None:
    name = sys.argv[1]
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            result = answer(name, message["method"], message.get("params", {}))
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


main()
