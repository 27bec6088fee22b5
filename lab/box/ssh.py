"""The VPS's sshd: keys made on the spot, public keys only.

Owns: `.lab/ssh`, sshd's configuration, its start and the wait for its banner.
Deliberately does not: touch the machine's own sshd, its keys or its configuration.
"""

from __future__ import annotations

import getpass
import shutil
import subprocess
import sys
import time
from pathlib import Path

from lab.box import hardened, network, processes
from lab.box.facts import Process, Ssh
from lab.box.place import Place

PORT = 22
READY_WITHIN_SECONDS = 20.0
_OPEN = (
    "PermitRootLogin prohibit-password",
    # The engine opens one connection a command, many at once.
    "MaxStartups 100",
    "MaxSessions 100",
    "Subsystem sftp internal-sftp",
)
_STANDARD_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_BANNER = "import socket;s=socket.create_connection(('{address}',{port}),5);s.settimeout(5);print(s.recv(64)[:4])"


def make_keys(place: Place) -> None:
    """The client's key and the host's key, once."""
    place.ssh.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("id_ed25519", "host_ed25519"):
        key = place.ssh / name
        if not key.with_name(name + ".pub").exists():
            # A run killed in between leaves a private key alone, and ssh-keygen would want to overwrite it.
            key.unlink(missing_ok=True)
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", place.name, "-f", str(key)],
                check=True,
                capture_output=True,
                stdin=subprocess.DEVNULL,
            )
    shutil.copyfile(place.ssh / "id_ed25519.pub", place.ssh / "authorized_keys")
    if place.hardened:
        hardened.authorize(place)
    (place.ssh / "known_hosts").write_text(f"{network.VPS.ipv4} {_host_key(place)}\n")


def configuration(place: Place) -> str:
    """`StrictModes no` because the keys lie in the repository, below folders whose modes are not ours to judge.

    `SetEnv` may stand only once (sshd_config(5): the first value is used), so all variables are on one line.
    """
    variables = {
        "DOCKER_HOST": f"unix://{place.docker_socket}",
        "HOME": str(place.home),
        "PATH": ":".join(_search_path()),
    }
    lines = [
        f"Port {PORT}",
        f"ListenAddress {network.VPS.ipv4}",
        "ListenAddress 127.0.0.1",
        f"HostKey {place.ssh}/host_ed25519",
        f"AuthorizedKeysFile {place.home / '.ssh' if place.hardened else place.ssh}/authorized_keys",
        f"PidFile {place.run}/sshd.pid",
        "StrictModes no",
        "AuthenticationMethods publickey",
        "PubkeyAuthentication yes",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitUserRC no",
        "UsePAM no",
        "UseDNS no",
        "X11Forwarding no",
        "PrintMotd no",
        *(hardened.SSHD_LINES if place.hardened else _OPEN),
        "SetEnv " + " ".join(f'"{name}={value}"' for name, value in variables.items()),
    ]
    if network.has_ipv6():
        lines.insert(3, f"ListenAddress [{network.VPS.ipv6}]:{PORT}")
    return "\n".join(lines) + "\n"


def start(place: Place) -> Process:
    """Start sshd and wait for its banner, seen from the outside. Raises OSError when it ends first, or after 20 s."""
    file = place.ssh / "sshd_config"
    file.write_text(configuration(place))
    log = place.logs / "sshd.log"
    server = shutil.which("sshd") or "/usr/sbin/sshd"
    command = [server, "-D", "-f", str(file), "-E", str(log)]
    seen = hardened.inside(place, command) if place.hardened else network.inside(place.vps, command)
    process = processes.start(place, "sshd", seen, log)
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while not answers(place):
        if not processes.alive(process):
            raise OSError(f"sshd ended, see {log}")
        if time.monotonic() > deadline:
            raise OSError(f"sshd does not answer within {READY_WITHIN_SECONDS:.0f} s, see {log}")
    return process


def answers(place: Place) -> bool:
    """True when sshd greets a connection from the outside."""
    program = _BANNER.format(address=network.VPS.ipv4, port=PORT)
    banner = subprocess.run(
        network.inside(place.wan, [sys.executable, "-I", "-S", "-c", program]), check=False, capture_output=True
    )
    return b"SSH-" in banner.stdout


def facts(place: Place) -> Ssh:
    return Ssh(
        address=network.VPS.ipv4,
        port=PORT,
        user=hardened.OPERATOR if place.hardened else getpass.getuser(),
        key=str(place.ssh / "id_ed25519"),
        host_key=_host_key(place),
    )


def _host_key(place: Place) -> str:
    """Type and key, without the comment."""
    return " ".join((place.ssh / "host_ed25519.pub").read_text().split()[:2])


def _search_path() -> list[str]:
    """The usual folders, and those of this machine's `docker` and `python3`."""
    found = [str(Path(tool).parent) for name in ("docker",) if (tool := shutil.which(name))]
    return list(dict.fromkeys([*_STANDARD_FOLDERS, *found, str(Path(sys.base_prefix, "bin"))]))
