"""The link's end on the host: runs commands and opens connections, one a stream.

Owns: its children's pipes, and their exit codes.
Deliberately does not: end a child whose caller, or whose link, is gone. A verb that has begun goes on to its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from typing import Callable

from hostctl.link.streams import (
    DATA,
    END,
    EXIT,
    FAILED,
    GONE,
    OPEN,
    OPENED,
    TAKEN,
    Receiver,
    Sender,
    Trunk,
    count_of,
)

CONNECT_SECONDS = 20


class Stream:
    """One command or one connection, and the channels that lead to it and from it."""

    def __init__(self, trunk: Trunk, number: int, ended: Callable[[int], None]) -> None:
        self._trunk, self._number, self._ended = trunk, number, ended
        self._open = 0
        self._lock = threading.Lock()
        self.receiver: Receiver | None = None
        self.senders: dict[int, Sender] = {}
        self._dropping = False
        self._child: subprocess.Popen[bytes] | None = None

    def open(self, document: dict[str, str]) -> None:
        """Start it; a failure is reported as a frame."""
        try:
            if "command" in document:
                self._run(document["command"])
            else:
                self._connect(document["host"], int(document["port"]))
        except OSError as error:
            self._report(FAILED, str(error).encode())
            self._ended(self._number)

    def drop(self) -> None:
        """Nobody receives any more."""
        with self._lock:
            self._dropping = True
            senders = list(self.senders.values())
        for sender in senders:
            sender.drop()
        if self.receiver:
            self.receiver.end()

    def _run(self, command: str) -> None:
        self._child = subprocess.Popen(
            ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        pipes = [self._child.stdin, self._child.stdout, self._child.stderr]
        given, *taken = (os.dup(pipe.fileno()) for pipe in pipes if pipe)
        for pipe in pipes:
            if pipe:
                pipe.close()
        self._join(given, taken)

    def _connect(self, host: str, port: int) -> None:
        connection = socket.create_connection((host, port), CONNECT_SECONDS)
        connection.settimeout(None)

        def close(descriptor: int) -> None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            os.close(descriptor)
            connection.close()

        self._join(os.dup(connection.fileno()), [os.dup(connection.fileno())], close)

    def _join(self, given: int, taken: list[int], close: Callable[[int], None] = os.close) -> None:
        # Before the report, after which bytes arrive.
        self.receiver = Receiver(self._trunk, self._number, 0, given, close)
        self._report(OPENED)
        with self._lock:
            self._open = len(taken)
            for channel, descriptor in enumerate(taken, 1):
                self.senders[channel] = Sender(self._trunk, self._number, channel, descriptor, self._sender_ended)
        if self._dropping:
            self.drop()

    def _sender_ended(self) -> None:
        with self._lock:
            self._open -= 1
            if self._open:
                return
        code = self._child.wait() if self._child else 0
        self._report(EXIT, str(code if code >= 0 else 255).encode())
        if self.receiver:
            self.receiver.end()
        self._ended(self._number)

    def _report(self, kind: int, payload: bytes = b"") -> None:
        try:
            self._trunk.send(self._number, kind, payload)
        except OSError:
            self._dropping = True


class FarEnd:
    """Every stream of the link."""

    def __init__(self, trunk: Trunk) -> None:
        self._trunk = trunk
        self._streams: dict[int, Stream] = {}
        self._changed = threading.Condition()

    def serve(self) -> None:
        """Until the link is gone and each child has ended."""
        self._trunk.send(0, OPENED)
        for number, kind, payload in self._trunk.frames():
            if kind == OPEN:
                stream = self._streams[number] = Stream(self._trunk, number, self._forget)
                document = json.loads(payload)
                if "command" in document:
                    stream.open(document)
                else:
                    # It may take its time, and no other stream waits for it.
                    threading.Thread(target=stream.open, args=(document,), daemon=True).start()
                continue
            stream = self._streams.get(number)
            if stream:
                _deliver(stream, kind, payload)
        with self._changed:
            streams = list(self._streams.values())
        for stream in streams:
            stream.drop()
        with self._changed:
            self._changed.wait_for(lambda: not self._streams)

    def _forget(self, number: int) -> None:
        with self._changed:
            self._streams.pop(number, None)
            self._changed.notify()


def _deliver(stream: Stream, kind: int, payload: bytes) -> None:
    if kind == GONE:
        stream.drop()
    elif kind == DATA and stream.receiver:
        stream.receiver.put(payload)
    elif kind == END and stream.receiver:
        stream.receiver.end()
    elif kind > TAKEN and kind - TAKEN in stream.senders:
        stream.senders[kind - TAKEN].taken(count_of(payload))


def main() -> None:
    """Serve stdin and stdout, which nothing else may write to."""
    trunk = Trunk(os.dup(0), os.dup(1))
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    FarEnd(trunk).serve()
    sys.exit(0)
