"""A connection to a backend that can be cut, and joined again, in the middle of a run."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator

_CHUNK = 65536


class Cut:
    """A relay on a loopback port of its own; while it is cut, every connection through it ends and none begins."""

    def __init__(self, port: int) -> None:
        self._to = port
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
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                with self._lock:
                    if self._is_cut:
                        near.close()
                        continue
                    far = socket.create_connection(("127.0.0.1", self._to))
                    self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pass, args=(one, other), daemon=True).start()


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
def relayed(port: int) -> Generator[Cut]:
    """A relay to a port of this machine, for a test."""
    relay = Cut(port)
    try:
        yield relay
    finally:
        relay.close()
