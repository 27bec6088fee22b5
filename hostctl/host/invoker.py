"""Who runs this program on the host, as far as the host itself can tell.

Owns: the user's name, behind `sudo` too, and the address from which `ssh` came.
Deliberately does not: prove it; a root user is whoever he says he is.
"""

from __future__ import annotations

import os
import pwd


def told() -> dict[str, str]:
    """{"user", "from"}; "from" is an address, empty where nobody came by ssh."""
    # "client-address client-port server-address server-port" (ssh(1)).
    came_by = os.environ.get("SSH_CONNECTION", "").split()
    return {"user": _behind_sudo() or _name(os.getuid()), "from": came_by[0] if came_by else ""}


def _behind_sudo() -> str:
    return os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
