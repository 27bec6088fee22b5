"""The programs that a box needs on this machine, and their installation.

Owns: the list of tools, their installation from Debian's packages, the sentence where that is impossible.
Deliberately does not: start a service: while packages are installed, a policy keeps every new daemon down.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from console.errors import UserError
from console.progress import Progress, Step

TOOLS: Mapping[str, str] = {
    "crontab": "cron",
    "dnsmasq": "dnsmasq-base",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "npm": "npm",
    "nsenter": "util-linux",
    "iptables": "iptables",
    "dockerd": "docker.io",
    "docker": "docker.io",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Program to Debian package; the images' tools too, since one apt-get at a time can run."""

_POLICY = Path("/usr/sbin/policy-rc.d")
_DENY = "#!/bin/sh\n# sentinel-lab: no service starts while the lab's packages are installed\nexit 101\n"
"""101: action forbidden (invoke-rc.d's policy interface)."""

_WAIT = "-oDPkg::Lock::Timeout=600"
"""Another step may install packages beside us (apt.conf(5))."""

_INSTEAD = "`make unit` and `make lint` need no lab, and STACK=prod acts on a host over ssh"


def require(progress: Progress) -> None:
    """Make sure that a box can run here; raises UserError with what is possible instead."""
    require_system()
    if missing():
        with progress.step("Installing what the lab's VPS needs") as step:
            install(step)


def require_system() -> None:
    """Raises UserError where no box can ever run."""
    if platform.system() != "Linux":
        raise UserError(f"The lab is made of Linux network namespaces and this is {platform.system()}: {_INSTEAD}.")
    if os.geteuid() != 0:
        raise UserError(f"The lab makes network namespaces, which only root may: run `sudo make …`; {_INSTEAD}.")
    if missing() and shutil.which("apt-get") is None:
        raise UserError(
            f"The lab needs {', '.join(missing())}, and there is no apt-get to install them: "
            f"install them by this system's own means; {_INSTEAD}."
        )


def install(step: Step) -> None:
    """Install the packages of the missing tools; nothing happens when none is missing."""
    packages = sorted({TOOLS[tool] for tool in missing()})
    if not packages:
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with services_held_back(_POLICY):
        step.say(f"apt-get install {' '.join(packages)}")
        if step.call(_install(packages), environment=quiet, check=False):
            step.say("refreshing the package lists")
            step.call(["apt-get", "-qq", _WAIT, "update"], environment=quiet)
            step.call(_install(packages), environment=quiet)


def missing() -> list[str]:
    folders = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    return [tool for tool in TOOLS if shutil.which(tool, path=folders) is None]


@contextmanager
def services_held_back(policy: Path) -> Generator[None]:
    """While inside, no package starts its service; a policy that exists is left alone, ours is taken away again.

    Ours is known by its text, so that one which a killed run left is taken away by the next.
    """
    if policy.exists() and policy.read_text() != _DENY:
        yield
        return
    policy.write_text(_DENY)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def _install(packages: list[str]) -> list[str]:
    return ["apt-get", "-qq", "-y", _WAIT, "--no-install-recommends", "install", *packages]
