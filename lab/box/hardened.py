"""The box's second profile, `LAB_PROFILE=hardened`: a host as its operator's own documentation describes it.

Umask 027 for everybody; ssh as Debian ships it, without port forwarding, root and a third session; an operator in the
docker group without sudo, with a crontab and a boot unit of their own. Accounts and crontabs are the VPS's: every
process of the operator's sees them in place of this machine's (mount_namespaces(7)).

Owns: the operator's account, the view of the VPS that its processes have, and what runs there at a boot.
Deliberately does not: write a file of the operator's home (lab/real/contextforge/files.py does).
"""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.box import network, processes
from lab.box.place import Place

OPERATOR, UID, DOCKER_GROUP = "operator", 64207, 64208
"""Ids of nobody on this machine."""
UMASK = 0o027
SSHD_LINES = (
    "PermitRootLogin no",
    "AllowTcpForwarding no",
    "MaxSessions 2",
    "Subsystem sftp /usr/lib/openssh/sftp-server",
)
"""In place of the box's own; MaxStartups is OpenSSH's default."""
UNIT_SCRIPT = Path("v1be-code-server") / "fix-iptables.sh"
"""Below the operator's home: run at boot by a unit of the operator's own."""
_CRON = ("PATH=/usr/bin:/bin", "SHELL=/bin/sh", f"LOGNAME={OPERATOR}")
_VIEW = """
mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group || exit 1
mount --bind "$2" /var/spool/cron/crontabs && umask 027 && shift 2 && exec "$@"
"""


def furnish(place: Place) -> None:
    """Account, crontabs and home; the home is seen by a path that the operator may follow."""
    accounts = _accounts(place)
    accounts.mkdir(parents=True, exist_ok=True)
    line = f"{OPERATOR}:*:{UID}:{UID}:operator:{place.home}:/bin/sh\n"
    (accounts / "passwd").write_text(Path("/etc/passwd").read_text() + line)
    groups = [line for line in Path("/etc/group").read_text().splitlines() if not line.startswith("docker:")]
    groups += [f"docker:x:{DOCKER_GROUP}:{OPERATOR}", f"{OPERATOR}:x:{UID}:"]
    (accounts / "group").write_text("\n".join(groups) + "\n")
    crontabs(place).mkdir(parents=True, exist_ok=True)
    os.chown(crontabs(place), 0, grp.getgrnam("crontab").gr_gid)
    crontabs(place).chmod(0o1730)
    kept = place.host / "home" / OPERATOR
    kept.mkdir(parents=True, exist_ok=True)
    place.home.mkdir(parents=True)
    subprocess.run(["mount", "--bind", str(kept), str(place.home)], check=True, capture_output=True)
    own(place.home, 0o750)
    if not (place.home / "backups").exists():
        (place.home / "backups").mkdir()
        own(place.home / "backups", 0o750)


def authorize(place: Place) -> None:
    """The client's key in the operator's own file, as sshd expects it."""
    folder = place.home / ".ssh"
    folder.mkdir(exist_ok=True)
    own(folder, 0o700)
    shutil.copyfile(place.ssh / "authorized_keys", folder / "authorized_keys")
    own(folder / "authorized_keys", 0o600)


def own(path: Path, mode: int) -> None:
    """Make it the operator's."""
    os.chown(path, UID, UID)
    path.chmod(mode)


def crontabs(place: Place) -> Path:
    """The VPS's /var/spool/cron/crontabs."""
    return place.host / "var" / "spool" / "cron" / "crontabs"


def inside(place: Place, command: Sequence[str]) -> list[str]:
    """The command on the VPS, with its accounts, its crontabs and its umask."""
    view = ["unshare", "--mount", "--propagation=slave", "sh", "-c", _VIEW, "sh", str(_accounts(place))]
    return network.inside(place.vps, [*view, str(crontabs(place)), *command])


def as_operator(place: Place, command: Sequence[str]) -> list[str]:
    """The command as cron and a unit run it for the operator."""
    user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", f"--groups={DOCKER_GROUP}"]
    return inside(place, [*user, "env", "-i", f"--chdir={place.home}", *_CRON, f"HOME={place.home}", *command])


def run_at_boot(place: Place) -> None:
    """The `@reboot` lines of the operator's crontab and the operator's unit; nobody waits for them."""
    table = crontabs(place) / OPERATOR
    for line in table.read_text().splitlines() if table.exists() else ():
        if line.startswith("@reboot"):
            argv = as_operator(place, ["sh", "-c", line.split(None, 1)[1].replace(r"\%", "%")])
            processes.start(place, "cron", argv, place.logs / "cron.log")
    if (place.home / UNIT_SCRIPT).exists():
        script = as_operator(place, [str(place.home / UNIT_SCRIPT)])
        processes.start(place, "fix-iptables", script, place.logs / "fix-iptables.log")


def _accounts(place: Place) -> Path:
    return place.host / "etc" / "accounts"
