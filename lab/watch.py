"""An independent watch on a port: connects every so often, and tells the longest time without a good answer.

A good answer is an HTTP status line to a request without a token (ContextForge and Sentinel both refuse it with 401):
who answers does not matter here, that somebody does. Each attempt has 50 ms to connect, since an attempt may hang while
the port changes hands.

Usage: watch.py PORT INTERVAL_SECONDS; prints "watching" after the first good answer, ends when stdin does.
"""

from __future__ import annotations

import select
import socket
import sys
import time

REQUEST = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:9200\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CONNECT_SECONDS = 0.05
ANSWER_SECONDS = 1.0


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS) as connection:
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(REQUEST)
            return connection.recv(9).startswith(b"HTTP/1.1 ")
    except OSError:
        return False


def main() -> None:
    port, interval = int(sys.argv[1]), float(sys.argv[2])
    last, longest, told = time.monotonic(), 0.0, False
    while not select.select([sys.stdin], [], [], interval)[0]:
        began = time.monotonic()
        if not answers(port):
            continue
        if told:
            longest = max(longest, began - last)
        last = began
        if not told:
            told = True
            print("watching", flush=True)
    print(f"longest gap {longest * 1000:.0f} ms")


if __name__ == "__main__":
    main()
