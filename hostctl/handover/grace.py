"""The kernel's grace periods, made short while nobody answers on the port.

Docker takes a dozen firewall rules and links away while a port changes hands, one after the other, and the kernel ends
a grace period for each: it waits until no processor can still be looking at the old one. Expedited, it interrupts the
processors instead. The kernel does that by itself while it starts, and offers it as a switch of its own (Linux,
kernel/ksysfs.c and `rcupdate.rcu_expedited` in Documentation/admin-guide/kernel-parameters.txt).

Owns: that switch, from the first step of a window to its end, and what it was before. Deliberately does not: insist.
Where the switch is not there, is on already or may not be written, the handover is a little slower.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

SWITCH = "/sys/kernel/rcu_expedited"
OFF, ON = "0", "1"


def switch() -> str:
    """As it is now; empty where there is none."""
    try:
        with open(SWITCH, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


@contextmanager
def expedited(before: str) -> Generator[None]:
    """Short ones for the block; `before` is what the journal holds, since a killed run left the switch on."""
    if before != OFF:
        yield
        return
    _turn(ON)
    try:
        yield
    finally:
        _turn(OFF)


def _turn(value: str) -> None:
    try:
        with open(SWITCH, "w", encoding="ascii") as file:
            file.write(value)
    except OSError:
        pass
