"""Every name of one lab, derived from the folder of its repository.

Since names follow from the folder alone, whatever a killed run left can be found without any record of it, and
two clones run side by side.

Owns: the lab's id, its paths, the names of its namespaces and cgroups.
Deliberately does not: create, read or remove any of them.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

PROFILE = "LAB_PROFILE"
REPOSITORY = Path(__file__).resolve().parent.parent.parent


def _chosen() -> bool:
    return os.environ.get(PROFILE) == "hardened"


@dataclass(frozen=True)
class Place:
    """The place of one lab. `root` is the repository, or a folder of a test."""

    root: Path = REPOSITORY
    docker: Path | None = None
    """A root file system whose Docker the box runs, on control groups of version 2 alone; None: this machine's."""
    hardened: bool = field(default_factory=_chosen)
    """The profile of a hardened host (lab/box/hardened.py)."""

    @property
    def id(self) -> str:
        """First 6 hex digits of sha256 of the root's path."""
        return hashlib.sha256(str(self.root.resolve()).encode()).hexdigest()[:6]

    @property
    def name(self) -> str:
        return f"sentinel-lab-{self.id}"

    @property
    def folder(self) -> Path:
        """Everything of the lab that is a file."""
        return self.root / ".lab"

    @property
    def facts(self) -> Path:
        return self.folder / "box.json"

    @property
    def lock(self) -> Path:
        """Outside the lab's folder, which `down` removes while it holds the lock."""
        return self.root / ".work" / "lab.lock"

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def ssh(self) -> Path:
        return self.folder / "ssh"

    @property
    def host(self) -> Path:
        """The files of the VPS."""
        return self.folder / "vps"

    @property
    def home(self) -> Path:
        if self.hardened:
            # Only root may enter the lab's folder.
            return self.run / "home" / "operator"
        return self.host / "home" / "operator"

    @property
    def product(self) -> Path:
        if self.hardened:
            return self.home / "sentinel-cutover"
        return self.host / "var" / "lib" / "sentinel-cutover"

    @property
    def cron(self) -> Path:
        """The lab's /etc/cron.d."""
        return self.host / "etc" / "cron.d"

    @property
    def docker_data(self) -> Path:
        return self.host / "docker"

    @property
    def daemon_configuration(self) -> Path:
        return self.host / "etc" / "docker" / "daemon.json"

    @property
    def run(self) -> Path:
        """Sockets and pid files; short, since the path of a unix socket holds 107 bytes (unix(7))."""
        return Path("/run") / self.name

    @property
    def docker_socket(self) -> Path:
        return self.run / "docker.sock"

    @property
    def vps(self) -> str:
        return f"sentinel-vps-{self.id}"

    @property
    def wan(self) -> str:
        return f"sentinel-wan-{self.id}"

    @property
    def host_cgroup(self) -> str:
        """Of dockerd, sshd and everything that they start but containers."""
        return f"{self.name}.host"

    @property
    def container_cgroup(self) -> str:
        """Parent of the containers' cgroups."""
        return self.name
