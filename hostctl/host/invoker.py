"""The user who runs this program, as far as the host knows: behind `sudo` too, with the ssh client's address.

Deliberately does not: prove it; a root user may claim to be anybody.
"""

from __future__ import annotations

import os
import pwd


def identity() -> dict[str, str]:
    """{"user", "from"}; "from" is an address, empty where nobody came by ssh."""
    # "client-address client-port server-address server-port" (ssh(1)).
    connection = os.environ.get("SSH_CONNECTION", "").split()
    behind_sudo = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
    return {"user": behind_sudo or _name(os.getuid()), "from": connection[0] if connection else ""}


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
