"""The rights to change the firewall: root, `sudo`, or a one-shot container on the host's network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from hostctl.core import atomic_file, folders
from hostctl.core.errors import Refusal
from hostctl.docker import one_shot
from hostctl.docker.engine import Engine
from hostctl.docker.one_shot import ALL_LINES, OneShot, any_image, host_programs
from hostctl.firewall.request import FirewallRequest

Run = Callable[[str], str]
"""Runs shell lines and returns their output; raises Refusal with the first line of their stderr."""

SECONDS = 60.0
LINES = "run-"
"""The beginning of the names of the files with a container's lines, in the firewall's folder."""


def runner(request: FirewallRequest) -> Run:
    """The runner of the requested escalation; raises Refusal where this user lacks it."""
    if request.escalation == "root":
        if os.geteuid() != 0:
            raise Refusal(
                "firewall.escalation is root and this user is not: set it to sudo (without a password) or container"
            )
        return lambda lines: _piped(["sh"], lines)
    if request.escalation == "sudo":
        return lambda lines: _piped(["sudo", "-n", "sh"], lines)
    return lambda lines: _contained(request, lines)


def _contained(request: FirewallRequest, lines: str) -> str:
    engine = Engine(request.docker_socket)
    image = any_image(engine, request.image, request.image_of)
    # Of this process alone: after a boot the entry sets the rules while the check lists them.
    path = os.path.join(request.folder, f"{LINES}{os.getpid()}")
    folders.make(os.path.dirname(path), 0o755)
    atomic_file.write(path, lines.encode(), 0o644)
    try:
        return _run(engine, image, path)
    finally:
        os.unlink(path)


def _run(engine: Engine, image: str, path: str) -> str:
    container = OneShot(
        image,
        ("/bin/sh", "/sentinel-cutover-run"),
        network="host",
        # All that iptables needs, and far less than a privileged container gets.
        capabilities=("NET_ADMIN", "NET_RAW"),
        files={**host_programs(), "/etc": "/etc", "/sentinel-cutover-run": path},
        # The lock that keeps two users of iptables apart is in it.
        writable_files={"/run": "/run"},
        tmpfs={"/tmp": "mode=1777"},
    )
    code, output = one_shot.run(engine, container, SECONDS, ALL_LINES)
    if code:
        reason = _first(output) or f"exit code {code}"
        raise Refusal(
            f"the firewall could not be changed by a one-shot container of {image} ({reason}): fix that, then run again"
        )
    return output + "\n"


def _piped(command: list[str], lines: str) -> str:
    try:
        done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError:
        raise Refusal(f"{command[0]} is not on this host: set firewall.escalation to what it has") from None
    except subprocess.TimeoutExpired:
        raise Refusal(
            f"{' '.join(command)} did not end within {SECONDS:.0f} s: find who holds iptables' lock, then run again"
        ) from None
    if done.returncode:
        reason = _first(done.stderr) or f"exit code {done.returncode}"
        raise Refusal(f"the firewall could not be changed by {' '.join(command)} ({reason}): fix that, then run again")
    return done.stdout


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip() and not line.startswith("# Warning")), "")
