"""`systemctl`, on a host that systemd runs, and its failure in one sentence."""

from __future__ import annotations

import os
import subprocess

from hostctl.core.errors import Refusal

RUNS = "/run/systemd/system"
"""Exists exactly while systemd is the host's init (sd_booted(3))."""
SECONDS = 60.0


def runs() -> bool:
    """True when systemd is this host's init."""
    return os.path.isdir(RUNS)


def control(*arguments: str, instead: str) -> None:
    """`systemctl ARGUMENTS`; raises Refusal with its reason and `instead`, the setting that makes it unnecessary."""
    done = _run(*arguments, instead=instead)
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise Refusal(f"systemctl {' '.join(arguments)} failed ({reason}): fix that, or {instead}")


def is_enabled(unit: str, *, instead: str) -> bool:
    """True when the next boot starts the unit."""
    return _run("is-enabled", "--quiet", unit, instead=instead).returncode == 0


def is_active(unit: str, *, instead: str) -> bool:
    """True when the unit is started."""
    return _run("is-active", "--quiet", unit, instead=instead).returncode == 0


def _run(*arguments: str, instead: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["systemctl", *arguments],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise Refusal(f"systemctl is not on this host: {instead}") from None
    except subprocess.TimeoutExpired:
        raise Refusal(f"systemctl {' '.join(arguments)} did not end within {SECONDS:.0f} s: {instead}") from None
