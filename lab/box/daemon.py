"""The VPS's Docker daemon: its configuration, its start, and its readiness.

Owns: `daemon.json` of the VPS, the daemon's command line, the wait for `/_ping`.
Deliberately does not: load images or make containers.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import time
from pathlib import Path

from lab.box import hardened, network, processes
from lab.box.facts import Process
from lab.box.place import Place

READY_WITHIN_SECONDS = 90.0
STOPPED_WITHIN_SECONDS = 60.0
SHIM_SOCKETS = Path("/run/containerd/s")
_POLL_SECONDS = 0.05
_IN_ANOTHER_USERLAND = 'mount --bind "$0/usr" /usr && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'
"""Seen by this daemon and its children alone. Its sockets and data stay where everybody sees them."""


def configuration(place: Place) -> dict[str, object]:
    """Log rotation as on the operator's VPS; everything else is for the lab.

    The `cgroupfs` driver, because a cgroup parent of systemd's driver must be a slice. `dns` is the outside's name
    server (lab/box/outside.py), so this machine's own name servers stay unknown.
    """
    return {
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        "cgroup-parent": f"/{place.container_cgroup}",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "dns": [network.WAN.ipv4],
        "group": str(hardened.DOCKER_GROUP) if place.hardened else "root",
    }


def command(place: Place) -> list[str]:
    userland: list[str] = []
    if place.docker:
        userland = ["unshare", "--mount", "--propagation=slave", "sh", "-c", _IN_ANOTHER_USERLAND, str(place.docker)]
    return network.inside(
        place.vps,
        [
            *userland,
            "dockerd",
            f"--config-file={place.daemon_configuration}",
            f"--host=unix://{place.docker_socket}",
            f"--data-root={place.docker_data}",
            f"--exec-root={place.run}/docker",
            f"--pidfile={place.run}/docker.pid",
        ],
    )


def start(place: Place) -> Process:
    """Start the daemon and wait until it answers. Raises OSError when it ends first, or after 90 s."""
    place.daemon_configuration.parent.mkdir(parents=True, exist_ok=True)
    place.daemon_configuration.write_text(json.dumps(configuration(place), indent=2) + "\n")
    place.docker_data.mkdir(parents=True, exist_ok=True)
    _forget_a_dead_containerd(place)
    log = place.logs / "dockerd.log"
    process = processes.start(place, "dockerd", command(place), log)
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while not answers(place.docker_socket):
        if not processes.alive(process):
            raise OSError(f"dockerd ended: {_last_line(log)} (log: {log})")
        if time.monotonic() > deadline:
            raise OSError(f"dockerd does not answer within {READY_WITHIN_SECONDS:.0f} s (log: {log})")
        time.sleep(_POLL_SECONDS)
    return process


def _forget_a_dead_containerd(place: Place) -> None:
    """Docker takes a killed containerd that nobody has reaped yet for one that runs, and waits for it in vain."""
    recorded = place.run / "docker" / "containerd" / "containerd.pid"
    try:
        number = int(recorded.read_text())
    except (OSError, ValueError):
        return
    if processes.start_ticks(number) is None:
        recorded.unlink(missing_ok=True)


def stop(process: Process) -> None:
    """Let the daemon end in order, and wait for it; raises OSError when it does not within 60 s."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not select.select([handle], [], [], STOPPED_WITHIN_SECONDS)[0]:
            raise OSError(f"dockerd does not end within {STOPPED_WITHIN_SECONDS:.0f} s")
    finally:
        os.close(handle)


def shim_sockets(place: Place) -> list[Path]:
    """Sockets of this daemon's containers in a folder that all daemons share; a killed shim leaves its own there.

    Each container's state folder names it in a file `address` (containerd's runtime v2).
    """
    found: list[Path] = []
    for address in (place.run / "docker").rglob("io.containerd.runtime.v2.task/*/*/address"):
        socket_file = Path(address.read_text().strip().removeprefix("unix://"))
        if socket_file.parent == SHIM_SOCKETS and socket_file.exists():
            found.append(socket_file)
    return found


def answers(address: Path, limit_seconds: float = 2.0) -> bool:
    """True when `GET /_ping` on the socket answers OK."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(limit_seconds)
        try:
            connection.connect(str(address))
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1].strip() if lines else "its log is empty"
