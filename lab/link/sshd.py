"""sshd as a hardened host has it: two sessions a connection, no forwarding, keys only; in the tests' own folder."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from verify.link.target import Target

HARDENED = {
    "AllowTcpForwarding": "no",
    "AllowStreamLocalForwarding": "no",
    "MaxSessions": "2",
    "MaxStartups": "2:100:2",
    "MaxAuthTries": "1",
}


@dataclass(frozen=True)
class Server:
    """A running sshd, and its log."""

    target: Target
    log: Path
    process: subprocess.Popen[bytes]

    def logins(self) -> int:
        return self.log.read_text().count("Accepted publickey")

    def cut(self) -> None:
        """End each connection, not the server."""
        subprocess.run(["pkill", "-KILL", "-P", str(self.process.pid)])


@contextmanager
def server(
    folder: Path,
    *,
    address: str = "127.0.0.1",
    passphrase: str = "",
    **further: str,
) -> Generator[Server]:
    """sshd with keys of its own."""
    folder.mkdir(exist_ok=True)
    for name in ("host", "client"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase if name == "client" else ""]
        subprocess.run([*words, "-f", str(folder / name)], check=True)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind(("::1" if ":" in address else "127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = {
        "ListenAddress": f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
        "HostKey": str(folder / "host"),
        "AuthorizedKeysFile": str(folder / "client.pub"),
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        **HARDENED,
        **further,
    }
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    Path("/run/sshd").mkdir(exist_ok=True)
    sshd, log = shutil.which("sshd") or "/usr/sbin/sshd", folder / "log"
    process = subprocess.Popen([sshd, "-D", "-f", str(folder / "config"), "-E", str(log)])
    target = Target(
        user=getpass.getuser(),
        address=address,
        port=port,
        private_key_file=str(folder / "client"),
        host_key=" ".join((folder / "host.pub").read_text().split()[:2]),
    )
    running = Server(target, log, process)
    try:
        until = time.monotonic() + 20
        while not (log.exists() and "listening" in log.read_text()):
            assert process.poll() is None and time.monotonic() < until, log.read_text() if log.exists() else "no log"
            time.sleep(0.02)
        yield running
    finally:
        running.cut()
        process.terminate()
        process.wait()
