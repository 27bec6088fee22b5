"""The operator's own means on a hardened host: the unit that runs the firewall script at boot, the crontab that runs
the nightly script, and the git work tree that holds the firewall script.

Owns: making what is missing. Deliberately does not: change what stands there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.box import Box, Place, hardened

UNIT = Path(".config/systemd/user/fix-iptables.service")


def complete(box: Box) -> None:
    """Crontab, unit and work tree, made as the operator."""
    home = Path(box.home)
    _run(f"""
crontab -l > /dev/null 2>&1 || echo '0 4 * * * {home}/nightly-db-backup.sh' | crontab -
unit={home}/{UNIT}
test -e "$unit" || {{
    mkdir -p "$(dirname "$unit")"
    printf '[Service]\\nType=oneshot\\nExecStart=%s\\n\\n[Install]\\nWantedBy=default.target\\n' \
        {home}/{hardened.UNIT_SCRIPT} > "$unit"
}}
cd {home}/{hardened.UNIT_SCRIPT.parent}
test -e .git || {{
    git init -q . && git add . && git -c user.name=operator -c user.email=operator@example.com commit -qm First
}}
""")


def _run(lines: str) -> None:
    subprocess.run(hardened.as_operator(Place(), ["sh", "-eu", "-c", lines]), check=True, capture_output=True)
