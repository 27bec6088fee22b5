"""The reach of a container, or of the VPS, from its own network: a listener outside, and a connection to it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Generator, Sequence

from lab.box.network import WAN, inside
from tests.lab.cutover.conftest import Lab

OUTSIDE = 18090
"""Something to reach outside, for a container with egress."""


def egress(within: Sequence[str]) -> str:
    """`connected`, or the error's name, of a connection to the outside."""
    program = (
        "import errno,socket;s=socket.socket();s.settimeout(2);"
        f"r=s.connect_ex(('{WAN.ipv4}',{OUTSIDE}));print(errno.errorcode.get(r,'connected') if r else 'connected')"
    )
    done = subprocess.run([*within, sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@contextlib.contextmanager
def listening_outside(lab: Lab) -> Generator[None]:
    program = (
        f"import socket,sys;s=socket.create_server(('{WAN.ipv4}',{OUTSIDE}));print('listening',flush=True);"
        "sys.stdin.read()"
    )
    outside = subprocess.Popen(
        inside(lab.box.wan, [sys.executable, "-I", "-S", "-c", program]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert outside.stdin and outside.stdout
    assert outside.stdout.readline() == "listening\n"
    try:
        yield
    finally:
        outside.stdin.close()
        outside.wait(10)
