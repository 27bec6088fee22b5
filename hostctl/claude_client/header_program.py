"""Claude Code's `headersHelper`: prints the header that the gateway on the port accepts.

Owns: the choice between the token in Claude's token file and the predecessor's Authorization values. Each is tried on
the port, since Claude calls this program again exactly when the gateway has changed; nothing else knows as early who
serves. A port that refuses all of them is tried again for a while: the new gateway's token follows its handover.
Deliberately does not: open a session, write anything, or import anything of this program's: `header install` copies
this file, which Claude runs as its own user, also after `hostctl` is gone.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import time
from urllib.parse import urlsplit

PATIENCE_SECONDS = 5.0
"""Claude gives the program 10 s."""
ATTEMPT_SECONDS = 2.0
PAUSE_SECONDS = 0.1
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
_AUTHORIZATION = re.compile(r"[\x21-\x7e]+( [\x21-\x7e]+)*")
_BODY = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "server/discover", "params": {}})
"""Claude's own first request at every connect."""
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def main(url: str, token_file: str, authorizations_file: str) -> int:
    """Print one JSON object of headers; the exit code."""
    chosen = choose(url, token_file, authorizations_file, time.monotonic() + PATIENCE_SECONDS)
    if chosen is None:
        print(f"{token_file} holds no token", file=sys.stderr)
        return 1
    print(json.dumps({"Authorization": chosen}))
    return 0


def choose(url: str, token_file: str, authorizations_file: str, end: float) -> str | None:
    """The first value that the gateway accepts until `end`, else the token file's; None where there is none."""
    while True:
        # Read again each time: the token may be written meanwhile.
        own = [f"Bearer {line}" for line in _lines(token_file, _TOKEN)[:1]]
        known = dict.fromkeys([*own, *_lines(authorizations_file, _AUTHORIZATION)])
        for value in known:
            if accepted(url, value):
                return value
        if not known or time.monotonic() + PAUSE_SECONDS > end:
            return own[0] if own else None
        time.sleep(PAUSE_SECONDS)


def accepted(url: str, authorization: str) -> bool:
    """True when the gateway answers a request with this header by anything but a refusal of it."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=ATTEMPT_SECONDS)
    try:
        connection.request("POST", address.path, _BODY, {**_HEADERS, "Authorization": authorization})
        return connection.getresponse().status not in (401, 403)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _lines(path: str, usable: re.Pattern[str]) -> list[str]:
    """The lines that can be in a header."""
    try:
        with open(path, encoding="ascii") as file:
            return [line for text in file if usable.fullmatch(line := text.strip())]
    except (OSError, ValueError):
        return []


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
