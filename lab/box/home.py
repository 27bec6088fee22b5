"""The folders of the VPS before anything runs on it, and the jobs that cron runs there at a boot.

Owns: the operator's home, the product's folder and cron's, empty; running `fix-iptables.sh` and every `@reboot` line of
cron's folder as cron does. The box has no cron of its own: nothing but a boot runs what stands there.
Deliberately does not: write any file of the operator (lab/real/contextforge/files.py does).
"""

from __future__ import annotations

import re
import subprocess

from lab.box import hardened, network, processes
from lab.box.place import Place

SCRIPT = "fix-iptables.sh"
_CRON = ("PATH=/usr/bin:/bin", "SHELL=/bin/sh", "LOGNAME=root")
"""The environment of a job (crontab(5)): no sbin, where iptables lies."""
OPERATORS = "operator"
"""The operator's own file in cron's folder, which runs the script."""
_SCRIPT_SECONDS = 60


def furnish(place: Place) -> None:
    if place.hardened:
        hardened.furnish(place)
        return
    for folder in (place.home, place.home / "backups", place.product, place.cron):
        folder.mkdir(parents=True, exist_ok=True)


def run_at_boot(place: Place) -> None:
    """The firewall script, before dockerd has made its chains; a failure stands in its log, as in cron's mail.

    The lines of cron's folder are started and not waited for, as cron does.
    """
    if place.hardened:
        hardened.run_at_boot(place)
        return
    for file in sorted(place.cron.iterdir()):
        if file.name == OPERATORS:
            continue
        _start_lines(place, file.name, file.read_text())
    script = place.home / SCRIPT
    if not script.exists():
        return
    with (place.logs / "fix-iptables.log").open("ab") as log:
        subprocess.run(
            network.inside(place.vps, ["env", "-i", *_CRON, f"HOME={place.home}", str(script)]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=_SCRIPT_SECONDS,
            check=False,
        )


def _start_lines(place: Place, name: str, text: str) -> None:
    """The `@reboot` lines of one of cron's files, with the variables that stand above them (crontab(5))."""
    variables = [*_CRON, f"HOME={place.home}"]
    for line in text.splitlines():
        if re.match(r"[A-Za-z_]+=", line):
            variables.append(line)
        elif line.startswith("@reboot"):
            _, _, command = line.split(None, 2)
            argv = ["env", "-i", *variables, "sh", "-c", command.replace(r"\%", "%")]
            processes.start(place, name, network.inside(place.vps, argv), place.logs / "cron.log")
