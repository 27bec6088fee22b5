"""The machine's own id, which a new machine and a reinstalled one do not share. Source: machine-id(5)."""

from __future__ import annotations

FILE = "/etc/machine-id"


def identity() -> str:
    """The id, empty where the machine has none."""
    try:
        with open(FILE, encoding="ascii", errors="replace") as file:
            return file.read(64).strip()
    except OSError:
        return ""
