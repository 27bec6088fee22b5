"""`grafana password`: give Grafana's admin the password in its container's file.

Grafana reads that file when it first makes its database and never again, so a changed secret reaches the admin here, by
Grafana's own `grafana cli admin reset-admin-password`, which writes to the database in use. It needs no old password,
which nobody keeps.

Owns: the admin's password, and the removal of databases of former secret keys from the volume.
Deliberately does not: hold a secret. Both are read inside the container, from their files, and go through pipes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hostctl.core.errors import Refusal
from hostctl.docker import containers
from hostctl.docker.engine import Engine

SECONDS = 60.0
"""The command line starts half of Grafana before it writes."""
HOME = "/usr/share/grafana"
ACCEPTED = "200"

# curl takes user and password from its standard input, where a quote and a backslash are escaped.
_LOGIN = r"""
{ printf 'user = "%s:' "$1"; tr -d '\n' < "$2" | sed 's/[\\"]/\\&/g'; printf '"\n'; } |
  curl -sS -m 10 -o /dev/null -w '%{http_code}' -K - "http://127.0.0.1:$3/api/org"
"""
# The image's start script exports the key to its own child only.
_SET = """
GF_SECURITY_SECRET_KEY="$(cat "$2")"
export GF_SECURITY_SECRET_KEY
grafana cli --homepath "$3" admin reset-admin-password --password-from-stdin < "$1" > /dev/null
"""
_TIDY = """find "$1" -maxdepth 1 -type f -name 'grafana*.db*' ! -name "$2*" -print -exec rm -f {} +"""


@dataclass(frozen=True)
class PasswordRequest:
    """Grafana's container, and paths inside it: the files of both secrets, the volume and its database's file."""

    container: str
    user: str
    port: int
    password_file: str
    key_file: str
    data: str
    database: str
    docker_socket: str = ""


def password(request: PasswordRequest) -> dict[str, Any]:
    """Set the password where Grafana refuses it; raises Refusal when Grafana does not take it. Idempotent."""
    engine, name = Engine(request.docker_socket), request.container
    container = containers.find(engine, name)
    if container is None or not container.running:
        raise Refusal(
            f"the container {name} does not run, so its admin's password cannot be set: run 'pulumi up' again"
        )
    login = ("login", request.user, request.password_file, str(request.port))
    before = _inside(engine, container.id, _LOGIN, login)[1]
    if before != ACCEPTED:
        status, _ = _inside(engine, container.id, _SET, ("set", request.password_file, request.key_file, HOME))
        after = _inside(engine, container.id, _LOGIN, login)[1]
        if status or after != ACCEPTED:
            # The command line's output may hold a secret that it read.
            raise Refusal(
                f"Grafana in {name} does not take its admin's new password (it answers {after or 'nothing'}): see "
                f"'docker logs {name}', then run 'pulumi up' again"
            )
    removed = _inside(engine, container.id, _TIDY, ("tidy", request.data, request.database))[1]
    return {
        "user": request.user,
        "set": before != ACCEPTED,
        "reason": "Grafana takes it already" if before == ACCEPTED else "Grafana refused it",
        "removed": sorted(removed.split()),
    }


def _inside(engine: Engine, container: str, script: str, arguments: Sequence[str]) -> tuple[int, str]:
    status, output = engine.inside(container, ["sh", "-eu", "-c", script, *arguments], SECONDS)
    return status, output.strip()
