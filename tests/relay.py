"""A port of this machine that leads elsewhere, and can be cut and joined again in the middle of a run."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import threading
from collections.abc import Generator
from pathlib import Path

_CHUNK = 65536
_CLONE_NEWNET = 0x40000000
"""setns(2)"""


class Relay:
    """A relay on a loopback port of its own; while it is cut, every connection through it ends and none begins.

    `namespace` is the network from which it connects.
    """

    def __init__(self, address: tuple[str, int], namespace: Path | None = None) -> None:
        self._to = address
        self._namespace = namespace
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection; each new one is closed at once."""
        with self._lock:
            self._is_cut = True
            ends, self._open = self._open, []
        for end in ends:
            _end(end)

    def join(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        self.cut()
        _end(self._listener)

    def _accept(self) -> None:
        if self._namespace is not None:
            _enter(self._namespace)
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                with self._lock:
                    if self._is_cut:
                        near.close()
                        continue
                    far = socket.create_connection(self._to)
                    self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pass, args=(one, other), daemon=True).start()


def _enter(namespace: Path) -> None:
    """For this thread alone."""
    with namespace.open() as entered:
        if ctypes.CDLL(None, use_errno=True).setns(entered.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _pass(source: socket.socket, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(_CHUNK):
            to.sendall(part)
    _end(source)
    _end(to)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def relayed(address: tuple[str, int], namespace: Path | None = None) -> Generator[Relay]:
    """A relay for a test."""
    relay = Relay(address, namespace)
    try:
        yield relay
    finally:
        relay.close()
