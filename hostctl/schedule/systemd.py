"""`systemctl` on a host where systemd runs, and the question whether it does.

Owns: calling it, and its failure in one sentence. Deliberately does not: know a unit.
"""

from __future__ import annotations

import os
import subprocess

from hostctl.core.errors import Refusal

RUNS = "/run/systemd/system"
"""There exactly while systemd is the host's init (sd_booted(3))."""
SECONDS = 60.0


def runs() -> bool:
    """Whether systemd is what starts things on this host."""
    return os.path.isdir(RUNS)


def control(*words: str, instead: str) -> None:
    """`systemctl WORDS`; raises Refusal with its reason and `instead`, the setting that does without it."""
    done = _run(*words, instead=instead)
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise Refusal(f"systemctl {' '.join(words)} failed ({reason}): fix that, or {instead}")


def is_enabled(unit: str, *, instead: str) -> bool:
    """Whether the next boot starts it."""
    return _run("is-enabled", "--quiet", unit, instead=instead).returncode == 0


def _run(*words: str, instead: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["systemctl", *words],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise Refusal(f"systemctl is not on this host: {instead}") from None
    except subprocess.TimeoutExpired:
        raise Refusal(f"systemctl {' '.join(words)} did not end within {SECONDS:.0f} s: {instead}") from None
