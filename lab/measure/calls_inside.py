"""Calls of one tool through the port: JSON on stdin ({"port", "token", "tool", "arguments", "clients", "count"}, the
count of each client, which asks one call after the other), {"good", "bad"} on stdout.

Owns: nothing but that; run by alerts.py inside the VPS's network, with the standard library only.
"""

from __future__ import annotations

import http.client
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "calls", "version": "1"}}
LIMIT_SECONDS = 90


def client(asked: dict[str, Any]) -> int:
    """One session; how many of its calls were answered well."""
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
    good = 0
    for number in range(1, asked["count"] + 1):
        answer, body = post(number, "tools/call", {"name": asked["tool"], "arguments": asked["arguments"]})
        good += answer.status == http.client.OK and b'"result"' in body and b'"isError":true' not in body
    connection.request("DELETE", "/mcp", headers=headers)
    connection.getresponse().read()
    return good


def main() -> None:
    asked = json.load(sys.stdin)
    with ThreadPoolExecutor(asked["clients"]) as pool:
        good = sum(pool.map(client, [asked] * asked["clients"]))
    json.dump({"good": good, "bad": asked["clients"] * asked["count"] - good}, sys.stdout)


main()
