"""The server's side of the protocol between ssh and its ControlMaster (OpenSSH's PROTOCOL.mux, version 4).

Owns: the packets of a session with a command and of a connection by `ssh -W`, with the client's descriptors.
Deliberately does not: serve a terminal, a forwarded port, X11 or an agent.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from dataclasses import dataclass
from typing import Final

_VERSION: Final = 4
_HELLO: Final = 0x00000001
_NEW_SESSION: Final = 0x10000002
_ALIVE_CHECK: Final = 0x10000004
_NEW_STDIO_FORWARD: Final = 0x10000008
_FAILURE: Final = 0x80000003
_EXIT: Final = 0x80000004
_ALIVE: Final = 0x80000005
_OPENED: Final = 0x80000006
_LONGEST = 1 << 20
_SESSION = 1
"""A client has one session at most."""


@dataclass(frozen=True)
class Wanted:
    """The client's request: a command, or a connection to an address. `descriptors` are its stdin, stdout, stderr."""

    number: int
    document: dict[str, str]
    descriptors: list[int]


class Client:
    """One ssh that is connected to the ControlPath."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self._descriptors: list[int] = []

    def wanted(self) -> Wanted | None:
        """The client's request, once it has greeted; None for one that only checks, or is gone."""
        self._send(_HELLO, struct.pack(">I", _VERSION))
        while packet := self._packet():
            kind, body = packet
            if kind == _HELLO:
                continue
            number = body.number()
            if kind == _ALIVE_CHECK:
                self._send(_ALIVE, struct.pack(">II", number, os.getpid()))
            elif kind == _NEW_SESSION:
                body.text()
                for _flag in ("terminal", "X11", "agent", "subsystem", "escape character"):
                    body.number()
                body.text()
                return Wanted(number, {"command": body.text()}, self._taken(3))
            elif kind == _NEW_STDIO_FORWARD:
                body.text()
                return Wanted(number, {"host": body.text(), "port": str(body.number())}, self._taken(2))
            else:
                self.refuse(number, "this connection runs commands only")
        return None

    def opened(self, number: int) -> None:
        self._send(_OPENED, struct.pack(">II", number, _SESSION))

    def refuse(self, number: int, reason: str) -> None:
        text = reason.encode()
        self._send(_FAILURE, struct.pack(">II", number, len(text)) + text)

    def exit(self, code: int) -> None:
        self._send(_EXIT, struct.pack(">II", _SESSION, code))

    def until_gone(self) -> None:
        """Wait for the client's end."""
        while self._packet():
            pass

    def close(self) -> None:
        """Also wakes a thread that waits for the client's end."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _send(self, kind: int, body: bytes) -> None:
        packet = struct.pack(">I", kind) + body
        try:
            self._connection.sendall(struct.pack(">I", len(packet)) + packet)
        except OSError:
            return

    def _packet(self) -> tuple[int, _Body] | None:
        length = self._exactly(4)
        if length is None:
            return None
        (count,) = struct.unpack(">I", length)
        content = self._exactly(count) if 4 <= count <= _LONGEST else None
        if content is None:
            return None
        body = _Body(content)
        return body.number(), body

    def _exactly(self, count: int) -> bytes | None:
        while len(self._received) < count:
            if not self._receive():
                return None
        found, self._received = self._received[:count], self._received[count:]
        return found

    def _taken(self, count: int) -> list[int]:
        """The client's descriptors; each comes with one byte."""
        while len(self._descriptors) < count and self._receive():
            pass
        self._exactly(count)
        return self._descriptors

    def _receive(self) -> bool:
        sized = array.array("i")
        try:
            content, ancillary, _flags, _address = self._connection.recvmsg(1 << 16, socket.CMSG_SPACE(sized.itemsize))
        except OSError:
            return False
        for level, kind, payload in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                sized.frombytes(payload[: len(payload) - len(payload) % sized.itemsize])
        self._descriptors += sized
        self._received += content
        return bool(content)


class _Body:
    """The members of a packet, read one after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def number(self) -> int:
        (value,) = struct.unpack(">I", self._content[:4])
        self._content = self._content[4:]
        return int(value)

    def text(self) -> str:
        length = self.number()
        value, self._content = self._content[:length], self._content[length:]
        return value.decode()
