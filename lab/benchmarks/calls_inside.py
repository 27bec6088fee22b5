"""Calls of one tool through the port: a JSON line on stdin ({"port", "token", "tool", "arguments", "clients", "count",
"interval_seconds"}), "calling" on stdout once a first call was answered, then {"good", "bad", "ms": [each call's]}.

Each client has a session of its own and makes one call after the other, `count` times; with a count of null until stdin
ends. Owns: nothing but that; run inside the VPS's network, with the standard library only.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "calls", "version": "1"}}
LIMIT_SECONDS = 90


class Client:
    """One session on the port."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        answer, _ = self._post(0, "initialize", HELLO)
        self._headers["Mcp-Session-Id"] = answer.getheader("Mcp-Session-Id") or ""

    def call(self, number: int, tool: str, arguments: dict[str, Any]) -> bool:
        """True when the answer is a good one."""
        answer, body = self._post(number, "tools/call", {"name": tool, "arguments": arguments})
        return answer.status == http.client.OK and b'"result"' in body and b'"isError":true' not in body

    def end(self) -> None:
        self._connection.request("DELETE", "/mcp", headers=self._headers)
        self._connection.getresponse().read()

    def _post(self, number: int, method: str, parameters: dict[str, Any]) -> tuple[http.client.HTTPResponse, bytes]:
        content = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        self._connection.request("POST", "/mcp", json.dumps(content), self._headers)
        answer = self._connection.getresponse()
        return answer, answer.read()


def calls(request: dict[str, Any], first: threading.Event, ended: threading.Event) -> list[tuple[float, bool]]:
    """One client's calls, each with its milliseconds and true where it was answered well."""
    client = Client(request["port"], request["token"])
    made: list[tuple[float, bool]] = []
    while not ended.is_set() and (request["count"] is None or len(made) < request["count"]):
        began = time.perf_counter()
        good = client.call(len(made) + 1, request["tool"], request["arguments"])
        made.append((round((time.perf_counter() - began) * 1000, 2), good))
        first.set()
        ended.wait(request["interval_seconds"])
    client.end()
    return made


def main() -> None:
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    first, ended = threading.Event(), threading.Event()
    if request["count"] is None:
        threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    with ThreadPoolExecutor(request["clients"]) as pool:
        clients = [pool.submit(calls, request, first, ended) for _ in range(request["clients"])]
        if first.wait(LIMIT_SECONDS):
            print("calling", flush=True)
        made = [call for client in clients for call in client.result()]
    good = sum(was_good for _, was_good in made)
    print(json.dumps({"good": good, "bad": len(made) - good, "ms": [took for took, _ in made]}), flush=True)


if __name__ == "__main__":
    main()
