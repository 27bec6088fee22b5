"""The rights to change the firewall: root, `sudo`, or a container on the host's network that lives for one script.

Owns: running shell lines with the rights that the host gives, and the one-shot container on the host's own programs.
Deliberately does not: know a rule.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.firewall.request import FirewallRequest

Run = Callable[[str], str]
"""Runs shell lines and returns their output; raises Refusal with the first line of their stderr."""

SECONDS = 60.0
_PROGRAM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib64")


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


def host_programs() -> list[str]:
    """Binds, read-only, that let any image run this host's own programs, this Python among them."""
    folders = [*_PROGRAM_FOLDERS, os.path.realpath(sys.base_prefix)]
    present = [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]
    return [f"{folder}:{folder}:ro" for folder in present if folder in _PROGRAM_FOLDERS or not _below(folder)]


def one_shot(engine: Engine, image: str, command: list[str], host: dict[str, Any]) -> str:
    """What a container printed that ran this one command and is gone; raises Refusal when it failed."""
    body = {
        "Image": image,
        "Entrypoint": command,
        "Cmd": [],
        "User": "0:0",
        "Labels": {"sentinel-cutover.role": "one-shot"},
        "HostConfig": {"ReadonlyRootfs": False, "Memory": 128 * 1024 * 1024, **host},
    }
    made = engine.post("/containers/create", body)["Id"]
    try:
        engine.post(f"/containers/{made}/start")
        status = engine.post(f"/containers/{made}/wait", seconds=SECONDS)["StatusCode"]
        said = engine.log_tail(made, 10000)
    finally:
        engine.delete(f"/containers/{made}?force=1")
    if status:
        raise Refusal(f"a one-shot container of {image} failed ({_first(said) or f'exit code {status}'})")
    return said


def any_image(engine: Engine, image: str, image_of: str) -> str:
    """An image that is on the host: the named one, else that of the container `image_of`, else any that runs."""
    if image:
        return image
    found = containers.find(engine, image_of, {})
    if found is not None:
        return found.image
    for row in containers.listed(engine):
        return str(row["ImageID"])
    raise Refusal("no container is on this host whose image could be used: set firewall.escalation to root or sudo")


def _contained(request: FirewallRequest, lines: str) -> str:
    engine = Engine(request.docker_socket)
    path = os.path.join(request.folder, "run")
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    atomic_file.write(path, lines.encode(), 0o644)
    host: dict[str, Any] = {
        "NetworkMode": "host",
        # All that iptables needs, and far from all that a privileged container gets.
        "CapDrop": ["ALL"],
        "CapAdd": ["NET_ADMIN", "NET_RAW"],
        # /run has the lock that keeps two users of iptables apart.
        "Binds": [*host_programs(), "/run:/run", "/etc:/etc:ro", f"{path}:/sentinel-cutover-run:ro"],
    }
    return one_shot(
        engine, any_image(engine, request.image, request.image_of), ["/bin/sh", "/sentinel-cutover-run"], host
    )


def _piped(command: list[str], lines: str) -> str:
    try:
        done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError:
        raise Refusal(f"{command[0]} is not on this host: set firewall.escalation to what it has") from None
    except subprocess.TimeoutExpired:
        raise Refusal(f"{' '.join(command)} did not end within {SECONDS:.0f} s: see who holds iptables' lock") from None
    if done.returncode:
        reason = _first(done.stderr) or f"exit code {done.returncode}"
        raise Refusal(f"the firewall could not be changed by {' '.join(command)} ({reason}): fix that, then run again")
    return done.stdout


def _below(folder: str) -> bool:
    return any(folder.startswith(f"{top}/") for top in _PROGRAM_FOLDERS)


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip() and not line.startswith("# Warning")), "")


__all__ = ["Run", "any_image", "host_programs", "one_shot", "runner"]
