"""Deaths of a server in the middle of its call: a JSON line on stdin ({"port", "token", "slow", "quick", "rounds"}, two
tools with their arguments), "kill" on stdout in each round once the slow call is under way, and a line on stdin once
its server is dead; at the end {"lost", "next_ms": [to the next good call, each round]}.

Owns: nothing but that; run in the VPS's network, from the repository's folder.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab.benchmarks.calls_inside import Client

UNDER_WAY_SECONDS = 1.0
LIMIT_SECONDS = 60
PAUSE_SECONDS = 0.02


def main() -> None:
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    slow, quick = (Client(request["port"], request["token"]) for _ in range(2))
    lost = 0
    next_ms: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        for number in range(1, request["rounds"] + 1):
            _until_good(quick, request["quick"])
            call = pool.submit(slow.call, number, request["slow"]["tool"], request["slow"]["arguments"])
            time.sleep(UNDER_WAY_SECONDS)
            print("kill", flush=True)
            sys.stdin.readline()
            killed = time.monotonic()
            lost += not call.result()
            _until_good(quick, request["quick"])
            next_ms.append(round((time.monotonic() - killed) * 1000, 1))
    print(json.dumps({"lost": lost, "next_ms": next_ms}), flush=True)


def _until_good(client: Client, quick: dict[str, Any]) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not client.call(1, quick["tool"], quick["arguments"]):
        if time.monotonic() > end:
            sys.exit(f"{quick['tool']} gave no good answer within {LIMIT_SECONDS} s")
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
