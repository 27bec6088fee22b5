"""The operator's home directory as it looks before the cutover.

Owns: the folders of the VPS, `fix-iptables.sh` and `nightly-db-backup.sh`.
Deliberately does not: write what ContextForge needs (`mcp-context-forge/`, `.mcp-token`, Claude's entry: the lab's
predecessor), or touch a file that exists: the product and the tests change them.
"""

from __future__ import annotations

from lab.box.place import Place

_FIREWALL = """#!/bin/sh
# Re-run at boot by the operator's crontab: @reboot ~/fix-iptables.sh
set -eu
iptables -C INPUT -i lo -j ACCEPT 2>/dev/null || iptables -I INPUT 1 -i lo -j ACCEPT
"""
_NIGHTLY = """#!/bin/sh
# Run by the operator's crontab: 30 3 * * * ~/nightly-db-backup.sh
set -eu
mkdir -p "$HOME/backups"
docker exec mcp-context-forge-postgres-1 pg_dumpall -U postgres | gzip > "$HOME/backups/mcp-$(date +%u).sql.gz"
"""
_SCRIPTS = {"fix-iptables.sh": _FIREWALL, "nightly-db-backup.sh": _NIGHTLY}


def furnish(place: Place) -> None:
    for folder in (place.home / "mcp-context-forge", place.home / "backups", place.product):
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in _SCRIPTS.items():
        file = place.home / name
        if not file.exists():
            candidate = file.with_name(name + ".new")
            candidate.write_text(text)
            candidate.chmod(0o755)
            candidate.rename(file)
    claude = place.home / ".claude.json"
    if not claude.exists():
        claude.touch(mode=0o600)
        claude.write_text('{\n  "mcpServers": {}\n}\n')
