"""The folders of the VPS that are there before anything runs on it, and the operator's own script at boot.

Owns: the operator's home and the product's folder, empty; running `fix-iptables.sh` as cron does at @reboot.
Deliberately does not: write any file of the operator (lab/predecessor/files.py does).
"""

from __future__ import annotations

import subprocess

from lab.box import network
from lab.box.place import Place

SCRIPT = "fix-iptables.sh"
_CRON = ("PATH=/usr/bin:/bin", "SHELL=/bin/sh", "LOGNAME=root")
"""The environment of a job (crontab(5)): no sbin, where iptables lies."""
_SCRIPT_SECONDS = 60


def furnish(place: Place) -> None:
    for folder in (place.home, place.home / "backups", place.product):
        folder.mkdir(parents=True, exist_ok=True)


def run_at_boot(place: Place) -> None:
    """The firewall script, before dockerd has made its chains; a failure stands in its log, as in cron's mail."""
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
