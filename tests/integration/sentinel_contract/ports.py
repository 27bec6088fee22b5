"""Loopback ports that no outgoing connection takes while their server starts or is away."""

from __future__ import annotations

import random
import socket

BELOW_THE_EPHEMERAL = range(20_000, 32_000)


def free_port() -> int:
    while True:
        port = random.choice(BELOW_THE_EPHEMERAL)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
