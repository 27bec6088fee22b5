"""The one way to a host over ssh: options that trust the one key of the settings, whatever a user has met before.

Owns: the options and the command line. Deliberately does not: connect. The published Docker plugin and `verify` both
reach the host by them.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

CONNECT_SECONDS = 15


def options(private_key_file: str | None, host_key: str | None) -> list[str]:
    """Words for `ssh`; see ssh_config(5)."""
    values = {
        "IdentityFile": private_key_file,
        "IdentitiesOnly": "yes",
        "KnownHostsCommand": f"/bin/echo %H {host_key}",
        "UserKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": CONNECT_SECONDS,
    }
    return [word for name, value in values.items() for word in ("-o", f"{name}={value}")]


def line(
    target: str, port: int, private_key_file: str | None, host_key: str | None, *own: str, words: Sequence[str] = ()
) -> list[str]:
    """The command line that runs `words` at `target` (`user@address`), with `own` options before the target."""
    start = ["ssh", "-T", "-p", str(port), *options(private_key_file, host_key)]
    return [*start, *own, target, *([shlex.join(words)] if words else [])]
