"""An independent watch on a port: a request every 10 ms, and the longest time without a good answer.

A good answer is the result of an MCP `initialize` with a bearer token, from the gateway that holds the port: each is
called with its own token, the one that answered last first. A connection has 50 ms, since an attempt may hang instead
of being refused while a port changes hands. An attempt that is not answered within 50 ms no longer holds back the
next one (a paused gateway's kernel still accepts), and while the last one was no good a new one begins every 10 ms.
Where more than a few are without an answer the next comes later by 10 ms for each of them: a gateway that has just
started would otherwise have nothing to do but its watch. The gap is the longest time between the beginnings of two
attempts, one after the other, that were answered well: requests in between were not.

Usage: watch.py, with one JSON document on the first line of stdin: {"port", "tokens": [...]}, and optionally
"interval_seconds", since 10 ms would be a load of its own over minutes, "token_file", for a client that reads it at
each attempt, and "closely_while": the handover's journal, during whose life it requests every 10 ms, and twice a
second without it and while its last line is about what takes seconds and withdraws nothing. A hundred connections a
second leave ten thousand in the kernel's tracking, which holds each for two minutes after its end. Docker searches all
of them when it takes a container off a network, and forgets the container's one by one: 0.1 s of a downtime that only
its watch has made. The gap is then the longest of those that begin while it requests every 10 ms, and "missed" counts
the other attempts that were not answered well; "reasons" says why.

"silent_ms" is the sum of all gaps within which an attempt was not answered well.

Prints "watching" after the first good answer, ends when stdin does, and prints {"gap_ms", "silent_ms", "attempts",
"good", "missed", "reasons"}.

Owns: that measurement, by the standard library alone and by none of the product's code.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

INTERVAL_SECONDS = 0.01
PATIENCE_SECONDS = 0.05
ANSWER_SECONDS = 5.0
SELDOM_SECONDS = 0.5
EARLY_SECONDS = 0.001
"""By so much a sleep may end before its time."""
FEW = 4
"""Attempts without an answer that do not slow the watch down. One that hangs for 5 s holds up to about 25 others."""
REFUSED = (401, 403)
UNHURRIED = (".begin", ".standby.", ".gates", ".again.", ".finish.stop", ".renew.")
"""Points of the journal at which a gateway starts, ends or is proven beside the one that serves."""
_HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "watch", "version": "1"},
    },
}


@dataclass
class Watch:
    """`good` and `bad`: the moments at which attempts began that were answered well, or not; `close`: the periods
    watched closely."""

    port: int
    tokens: list[str]
    interval_seconds: float = INTERVAL_SECONDS
    token_file: str = ""
    closely_while: str = ""
    good: list[float] = field(default_factory=list[float])
    bad: list[float] = field(default_factory=list[float])
    close: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    attempts: int = 0
    missed: int = 0
    reasons: list[str] = field(default_factory=list[str])
    last_was_good: bool = True

    def is_close(self, moment: float) -> bool:
        """True while every gap counts; notes the periods."""
        if not self.closely_while:
            return True
        was_close = bool(self.close) and self.close[-1][1] == math.inf
        is_close = _is_hurried(self.closely_while)
        if is_close and not was_close:
            self.close.append((moment, math.inf))
        if was_close and not is_close:
            self.close[-1] = (self.close[-1][0], moment)
        return is_close

    def gaps(self) -> Iterator[tuple[float, float]]:
        """Attempts may be answered in another order than they began. A close period begins with a moment that counts
        as answered, and ends with the first good answer after it.
        """
        ordered = sorted(self.good)
        if not self.closely_while:
            yield from itertools.pairwise(ordered)
        for since, until in self.close:
            within = [moment for moment in ordered if since < moment < until]
            after = [moment for moment in ordered if moment >= until][:1]
            yield from itertools.pairwise([since, *within, *after])

    def longest_gap(self) -> float:
        """Seconds."""
        return max((later - earlier for earlier, later in self.gaps()), default=0.0)

    def silent(self) -> float:
        """Seconds of all gaps within which an attempt was not answered well."""
        return sum(b - a for a, b in self.gaps() if any(a < moment < b for moment in self.bad))

    async def attempt(self, began: float, seldom: bool) -> None:
        self.attempts += 1
        reason = "no good answer"
        try:
            # Nothing hangs where no port changes hands: what is late there is this machine.
            patience = ANSWER_SECONDS if seldom else PATIENCE_SECONDS
            answered = await asyncio.wait_for(self._answered(patience), ANSWER_SECONDS)
        except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            answered, reason = False, repr(error)
        self.last_was_good = answered
        if answered:
            self.good.append(began)
            return
        self.bad.append(began)
        # One that the window cut off belongs to the window.
        if seldom and not self.is_close(ended := time.monotonic()):
            self.missed += 1
            self.reasons.append(f"{reason} after {ended - began:.2f} s")

    async def _answered(self, patience: float) -> bool:
        for token in self._known():
            status, body, session = await self._request(patience, "POST", token, json.dumps(_HELLO).encode())
            if status in REFUSED:
                continue
            if self.tokens and self.tokens[0] != token:
                self.tokens.sort(key=lambda one: one != token)
            if session:
                await self._request(patience, "DELETE", token, b"", f"Mcp-Session-Id: {session}\r\n")
            return status == 200 and b'"result"' in body
        return False

    def _known(self) -> list[str]:
        if not self.token_file:
            return list(self.tokens)
        with open(self.token_file, encoding="utf-8") as file:
            return [file.read().strip(), *self.tokens]

    async def _request(
        self, patience: float, method: str, token: str, content: bytes, more: str = ""
    ) -> tuple[int, bytes, str]:
        opening = asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = await asyncio.wait_for(opening, patience)
        try:
            head = (
                f"{method} /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {token}\r\n"
                "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
                f"{more}Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + content)
            status = int((await reader.readline()).split()[1])
            headers = await _headers(reader)
            body = await _body(reader) if status == 200 and method == "POST" else b""
            return status, body, headers.get("mcp-session-id", "")
        except IndexError:
            raise OSError("closed without a status") from None
        finally:
            writer.close()


def _is_hurried(journal: str) -> bool:
    try:
        with open(journal, encoding="utf-8") as file:
            last = file.read().rstrip().rpartition("\n")[2]
    except FileNotFoundError:
        return False
    return not any(point in last for point in UNHURRIED)


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    found: dict[str, str] = {}
    while line := (await reader.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        found[name.lower()] = value.strip()
    return found


async def _body(reader: asyncio.StreamReader) -> bytes:
    """As far as the result, since an event stream may stay open after it."""
    body = b""
    while b'"result"' not in body and (more := await reader.read(65536)):
        body += more
    return body


async def run(watch: Watch) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    # Nothing comes after the document but the end.
    loop.add_reader(sys.stdin.fileno(), ended.set)
    running: dict[asyncio.Task[None], float] = {}
    announced, latest, closely = False, 0.0, True
    while not ended.is_set():
        moment = time.monotonic()
        running = {task: began for task, began in running.items() if not task.done()}
        if closely != watch.is_close(moment):
            # At once, so that the seldom attempts bound no gap of the close period.
            closely, latest = not closely, 0.0
        pause = (watch.interval_seconds if closely else SELDOM_SECONDS) * max(1, len(running) - FEW)
        held_back = watch.last_was_good and any(moment - began < PATIENCE_SECONDS for began in running.values())
        if not held_back and moment >= latest + pause - EARLY_SECONDS:
            latest = moment
            running[asyncio.create_task(watch.attempt(moment, seldom=not closely))] = moment
        if watch.good and not announced:
            announced = True
            print("watching", flush=True)
        # No longer, since the file may come; what is held back is tried again as often.
        await asyncio.sleep(max(0.0, moment + min(pause, INTERVAL_SECONDS) - time.monotonic()))
    await asyncio.gather(*running, return_exceptions=True)


def main() -> None:
    request: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    interval = float(request.get("interval_seconds", INTERVAL_SECONDS))
    tokens = [str(token) for token in request["tokens"]]
    token_file, closely_while = str(request.get("token_file", "")), str(request.get("closely_while", ""))
    watch = Watch(int(request["port"]), tokens, interval, token_file, closely_while)
    asyncio.run(run(watch))
    gap, silent = (round(seconds * 1000, 1) for seconds in (watch.longest_gap(), watch.silent()))
    counts = {"attempts": watch.attempts, "good": len(watch.good), "missed": watch.missed}
    print(json.dumps({"gap_ms": gap, "silent_ms": silent, **counts, "reasons": watch.reasons}))


if __name__ == "__main__":
    main()
