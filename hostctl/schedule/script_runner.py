"""The host's own table that runs one of the operator's scripts: a crontab, cron's folder or a unit.

Deliberately does not: change such a table.
"""

from __future__ import annotations

import os

_CRON = ("/etc/crontab", "/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron", "/etc/rc.local")
_UNITS = ("/etc/systemd/system", "/etc/network", "/etc/networkd-dispatcher")


def table_naming(script: str) -> str:
    """The path of the first table that names the script, empty where none that this user may read does."""
    name = os.path.basename(script)
    for top in (*_CRON, *_UNITS):
        for path in [os.path.join(top, entry) for entry in sorted(os.listdir(top))] if _is_folder(top) else [top]:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    if any(name in line for line in file if not line.lstrip().startswith("#")):
                        return path
            except OSError:
                continue
    return ""


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)
