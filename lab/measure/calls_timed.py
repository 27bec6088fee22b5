"""Calls of one tool through the port until stdin ends: a JSON line on stdin ({"port", "token", "tool", "arguments",
"interval_seconds"}), "calling" on stdout once the first was answered, then {"ms": [each call's], "bad"}.

Owns: nothing but that; run inside the VPS's network, with the standard library only.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from typing import Any

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "calls", "version": "1"}}
LIMIT_SECONDS = 60


def main() -> None:
    asked: dict[str, Any] = json.loads(sys.stdin.readline())
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", asked["port"], timeout=LIMIT_SECONDS)
    headers = {
        "Authorization": f"Bearer {asked['token']}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }

    def post(number: int, method: str, parameters: dict[str, Any]) -> tuple[http.client.HTTPResponse, bytes]:
        content = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        connection.request("POST", "/mcp", json.dumps(content), headers)
        answer = connection.getresponse()
        return answer, answer.read()

    answer, _ = post(0, "initialize", HELLO)
    headers["Mcp-Session-Id"] = answer.getheader("Mcp-Session-Id") or ""
    times: list[float] = []
    bad = 0
    while not ended.is_set():
        began = time.perf_counter()
        answer, body = post(len(times) + 1, "tools/call", {"name": asked["tool"], "arguments": asked["arguments"]})
        times.append(round((time.perf_counter() - began) * 1000, 2))
        bad += not (answer.status == http.client.OK and b'"result"' in body and b'"isError":true' not in body)
        if len(times) == 1:
            print("calling", flush=True)
        ended.wait(asked["interval_seconds"])
    connection.request("DELETE", "/mcp", headers=headers)
    connection.getresponse().read()
    print(json.dumps({"ms": times, "bad": bad}), flush=True)


main()
