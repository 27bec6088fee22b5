"""An independent client on one port: an attempt every 10 ms with a 50 ms limit to connect, a line for each good answer.

Owns: its own requests, by the standard library, nothing of hostctl's. Prints
"monotonic-start monotonic-end who status".
Usage: port_watch.py PORT TOKEN (ends when stdin closes), or with `first` at the end: only the first, within 2 s.
"""

from __future__ import annotations

import http.client
import sys
import threading
import time

BODY = (
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
    '"clientInfo":{"name":"watch","version":"1"}}}'
)


def attempt(port: int, token: str) -> bool:
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.05)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.connect()
        connection.sock.settimeout(1)
        connection.request("POST", "/mcp", BODY, headers)
        response = connection.getresponse()
        response.read()
        # One write, since attempts overlap.
        sys.stdout.write(f"{began} {time.monotonic()} {response.getheader('X-Gateway')} {response.status}\n")
        sys.stdout.flush()
        return True
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    if sys.argv[3:] == ["first"]:
        end = time.monotonic() + 2
        while not attempt(int(sys.argv[1]), sys.argv[2]) and time.monotonic() < end:
            time.sleep(0.01)
        sys.exit()
    closed = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), closed.set()), daemon=True).start()
    while not closed.is_set():
        threading.Thread(target=attempt, args=(int(sys.argv[1]), sys.argv[2]), daemon=True).start()
        time.sleep(0.01)
    time.sleep(0.3)
