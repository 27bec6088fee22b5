"""One secret changed by `make rotate` on the lab, with what it cost and who takes the old and the new value after it.

Owns: the ten rotations. Deliberately does not: judge them.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.paths import ROOT
from lab.benchmarks.watched import watched
from lab.box import Place
from lab.doubles.discord import running as discord
from lab.real.contextforge import call
from settings import SECRET_KEYS
from tests.lab.cutover.conftest import Lab
from tests.soak import SOAK

IN_TIME = ("jwt_secret", "postgres_password")
ROTATED = tuple(SECRET_KEYS) if SOAK else IN_TIME
NEW_SENTINEL = frozenset({"jwt_secret", "postgres_password", "health_token", "firecrawl_api_key"})
"""Those that the lab's Sentinel reads when it starts, so that another one takes over: of the backends' keys its stack
gives Firecrawl's to its server, and no other."""


@dataclass(frozen=True)
class Rotation:
    """The document of `make rotate`; the longest time without an answer for a client that reads Claude's token file at
    each attempt; Claude's token changed or not; every backend answered after it or not; the old and the new value taken
    or not, None where nothing can be probed.
    """

    document: Mapping[str, Any]
    seen_ms: float
    token_changed: bool
    verified: bool
    takes_old: bool | None
    takes_new: bool | None


def rotated(lab: Lab, key: str) -> Rotation:
    """The port must be Sentinel's."""
    token = Path(lab.box.home) / ".mcp-token"
    token_before, before = token.read_bytes(), secret(lab, key)
    with watched(lab.box, 9200, [], follow=token, first_answer_seconds=120) as seen:
        done = subprocess.run(
            [sys.executable, "-m", "ops", "rotate", "--stack", "lab", "--json", "--secret", key],
            cwd=ROOT, env=lab.variables, input=_issued(key), capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    assert done.stdout, done.stderr
    after = secret(lab, key)
    takes = _TAKES.get(key)
    return Rotation(
        document=json.loads(done.stdout),
        seen_ms=seen.gap_ms,
        token_changed=token.read_bytes() != token_before,
        verified=lab.verified()["ok"],
        takes_old=takes(lab, before) if takes and before != after else None,
        takes_new=takes(lab, after) if takes else None,
    )


def secret(lab: Lab, key: str) -> str:
    return lab.pulumi("config", "get", key, check=False).strip()


def _issued(key: str) -> str:
    """A value as its issuer makes it; made by the command where it can be made."""
    value = discord.another_webhook(Place()) if key == "discord_webhook" else secrets.token_urlsafe(32)
    return f"{value}\n"


def _the_database(lab: Lab, password: str) -> bool:
    line = "read -r PGPASSWORD; export PGPASSWORD; psql -qtAX -h 127.0.0.1 -U sentinel -c 'select 1'"
    done = subprocess.run(
        ["docker", f"--host={lab.box.docker_host}", "exec", "-i", "sentinel-postgres", "sh", "-c", line],
        input=f"{password}\n", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout.strip() == "1"


def grafana(lab: Lab, path: str, password: str) -> Any:
    """Status and document of a GET as its admin."""
    return call(lab.box, "GET", path, basic=f"admin:{password}", port=3100)


def _grafana(lab: Lab, password: str) -> bool:
    return grafana(lab, "/api/org", password).status == 200


def _metrics(lab: Lab, token: str) -> bool:
    return call(lab.box, "GET", "/metrics", token=token, port=9201).status == 200


_TAKES: Mapping[str, Callable[[Lab, str], bool]] = {
    "postgres_password": _the_database,
    "grafana_admin_password": _grafana,
    "health_token": _metrics,
}
