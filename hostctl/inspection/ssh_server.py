"""The limits of the host's ssh server, from its configuration (sshd_config(5)); the first value of a keyword holds."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator

from hostctl.inspection.finding import Finding

MAIN = "/etc/ssh/sshd_config"
KEYWORDS = ("MaxSessions", "MaxStartups", "AllowTcpForwarding", "PermitRootLogin")


def limits() -> Iterator[Finding]:
    """The configured limits; a host that is no ssh server has none."""
    if not os.path.exists(MAIN):
        return
    values = configured(MAIN)
    named = [f"{keyword} {values[keyword.lower()]}" for keyword in KEYWORDS if keyword.lower() in values]
    yield Finding("ssh", "ok", ", ".join(named) or "OpenSSH's defaults")


def configured(path: str) -> dict[str, str]:
    """Keywords in lower case with their first value, outside of `Match`; an `Include` is read where it stands."""
    found: dict[str, str] = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            keyword, _, value = line.strip().replace("=", " ", 1).partition(" ")
            keyword, value = keyword.lower(), value.strip()
            if keyword == "match":
                break
            if keyword == "include":
                for pattern in value.split():
                    for included in sorted(glob.glob(os.path.join("/etc/ssh", pattern))):
                        found = {**configured(included), **found}
            elif keyword and not keyword.startswith("#"):
                found.setdefault(keyword, value)
    return found
