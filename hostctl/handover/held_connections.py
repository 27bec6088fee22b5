"""New connections to the port, held back while it changes hands.

A connection that is refused is a failed call of a client. One whose first packet is dropped is tried again by the
client's kernel a second later, when the other gateway serves: the call takes a second longer, and nobody notices.

Owns: one firewall rule for less than a second, for connections on loopback. A process of its own removes it where this
one is killed. Deliberately does not: fail a handover. Without root or iptables connections are refused as ever.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager

LONGEST_SECONDS = 5
"""Until the rule of a killed handover goes."""
_SECONDS = 2.0
_REMOVED_LATER = 'sleep "$1"; shift; exec "$@"'


@contextmanager
def held(port: int) -> Generator[None]:
    """Hold them back from here to the block's end, however it ends."""
    rule = _rule(port)
    later = _start(["sh", "-c", _REMOVED_LATER, "sh", str(LONGEST_SECONDS), *_iptables("-D", rule)])
    holds = later is not None and _done(_iptables("-I", rule))
    try:
        yield
    finally:
        if not holds or _done(_iptables("-D", rule)):
            _end(later)


def _rule(port: int) -> list[str]:
    # In mangle, before Docker's own translation of the port; the comment makes the rule this process's own.
    packet = ["OUTPUT", "-o", "lo", "-p", "tcp", "-d", "127.0.0.1", "--dport", str(port), "--syn"]
    return [*packet, "-m", "comment", "--comment", f"sentinel-cutover handover {os.getpid()}", "-j", "DROP"]


def _iptables(action: str, rule: Sequence[str]) -> list[str]:
    return ["iptables", "-w", "1", "-t", "mangle", action, *rule]


def _start(command: Sequence[str]) -> subprocess.Popen[bytes] | None:
    if os.geteuid() != 0:
        return None
    nothing = subprocess.DEVNULL
    try:
        return subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
    except OSError:
        return None


def _done(command: Sequence[str]) -> bool:
    try:
        return not subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()
