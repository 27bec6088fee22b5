"""The host as ssh's target: options that trust the one host key of the settings, whatever is in the user's known hosts.

Everything else is the user's own ssh configuration (ProxyJump, say) and agent.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

CONNECT_SECONDS = 45
"""Above a link's drop of 20 s: the packets that open a connection are sent again after 1, 3, 7, 15 and 31 s."""
ALIVE_SECONDS, ALIVE_TIMES = 15, 6
"""An open connection is given up after their product."""
_FOLDER = ".sentinel-cutover"
"""In the user's home, which ssh finds on its own, so that no state names it."""


class Named(Protocol):
    """The host as the settings, or a request of `verify`, name it."""

    @property
    def user(self) -> str | None: ...
    @property
    def address(self) -> str | None: ...
    @property
    def port(self) -> int: ...
    @property
    def private_key_file(self) -> str | None: ...
    @property
    def host_key(self) -> str | None: ...


@dataclass(frozen=True)
class Target:
    """The host's address, and how it is reached and recognized."""

    user: str
    address: str
    port: int
    private_key_file: str
    host_key: str

    @staticmethod
    def of(host: Named) -> Target:
        return Target(
            user=host.user or "",
            address=host.address or "",
            port=host.port,
            private_key_file=host.private_key_file or "",
            host_key=host.host_key or "",
        )

    def socket(self) -> Path:
        """The near end's socket. Its path may have 107 characters at most."""
        return Path(pwd.getpwuid(os.getuid()).pw_dir, _FOLDER, self._name())

    def options(self, *, shared: bool = True) -> list[str]:
        """Options for `ssh`, see ssh_config(5); with `shared` it goes through the near end where that runs."""
        values = {
            "IdentityFile": self.private_key_file,
            "IdentitiesOnly": "yes",
            "KnownHostsCommand": f"/bin/echo %H {self.host_key}",
            "UserKnownHostsFile": "none",
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": CONNECT_SECONDS,
            "ServerAliveInterval": ALIVE_SECONDS,
            "ServerAliveCountMax": ALIVE_TIMES,
            "ControlMaster": "no",
            "ControlPath": f"~/{_FOLDER}/{self._name()}" if shared else "none",
        }
        return [option for name, value in values.items() for option in ("-o", f"{name}={value}")]

    def command_line(self, command: Sequence[str], *extra: str, shared: bool = True) -> list[str]:
        """The command line that runs `command` there, with `extra` options before the target."""
        start = ["ssh", "-T", "-p", str(self.port), *self.options(shared=shared), *extra]
        return [*start, "--", f"{self.user}@{self.address}", *([shlex.join(command)] if command else [])]

    def tunnel(self, address: str, port: int) -> list[str]:
        """The command line whose stdin and stdout are a connection to an address as seen there."""
        return self.command_line((), "-W", f"{bracketed(address)}:{port}")

    def _name(self) -> str:
        return hashlib.sha256(repr(asdict(self)).encode()).hexdigest()[:16]


def bracketed(address: str) -> str:
    """An address before a colon and a port."""
    return f"[{address}]" if ":" in address else address
