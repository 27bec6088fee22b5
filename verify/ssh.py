"""ssh to the host: options that trust the one host key of the settings, whatever is in the user's known hosts.

Owns: the options and the command line. Deliberately does not: connect. Both the published Docker plugin and `verify`
connect with these options.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

CONNECT_SECONDS = 15


def options(private_key_file: str | None, host_key: str | None) -> list[str]:
    """Options for `ssh`; see ssh_config(5)."""
    values = {
        "IdentityFile": private_key_file,
        "IdentitiesOnly": "yes",
        "KnownHostsCommand": f"/bin/echo %H {host_key}",
        "UserKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": CONNECT_SECONDS,
    }
    return [option for name, value in values.items() for option in ("-o", f"{name}={value}")]


def command_line(
    target: str, port: int, private_key_file: str | None, host_key: str | None, *extra: str, command: Sequence[str] = ()
) -> list[str]:
    """The command line that runs `command` at `target` (`user@address`), with `extra` options before the target."""
    start = ["ssh", "-T", "-p", str(port), *options(private_key_file, host_key)]
    return [*start, *extra, target, *([shlex.join(command)] if command else [])]
