"""`grafana password`: Grafana's admin has the password that its container's file holds.

Grafana reads that file when it first makes its database and never again, so a changed secret reaches the admin here, by
Grafana's own `grafana cli admin reset-admin-password`, which writes to the database that serves. It needs no old
password, which nobody keeps.

Owns: the admin's password, and that no database of a former secret key stays in the volume.
Deliberately does not: see a secret. Both are read inside the container, from their files, and go through pipes.
"""

from __future__ import annotations

from typing import Any

from hostctl.core.documents import Document
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
# The key is the image's start script's to hand on, and a command beside it has it not.
_SET = """
GF_SECURITY_SECRET_KEY="$(cat "$2")"
export GF_SECURITY_SECRET_KEY
grafana cli --homepath "$3" admin reset-admin-password --password-from-stdin < "$1" > /dev/null
"""
_TIDY = """find "$1" -maxdepth 1 -type f -name 'grafana*.db*' ! -name "$2*" -print -exec rm -f {} +"""


def password(document: Document) -> dict[str, Any]:
    """Set it where Grafana refuses it; raises Refusal when Grafana does not take it. Idempotent."""
    engine, name = Engine(document.text("docker_socket")), document.text("container")
    found = containers.find(engine, name, {})
    if found is None or not found.running:
        raise Refusal(
            f"the container {name} does not run, so its admin's password cannot be set: run 'pulumi up' again"
        )
    user, port = document.text("user"), str(document.whole_number("port"))
    admin, key = document.text("password_file"), document.text("key_file")
    login = ("login", user, admin, port)
    before = _inside(engine, found.id, _LOGIN, login)[1]
    if before != ACCEPTED:
        status, _ = _inside(engine, found.id, _SET, ("set", admin, key, HOME))
        after = _inside(engine, found.id, _LOGIN, login)[1]
        if status or after != ACCEPTED:
            # What the command line says may hold what it read.
            raise Refusal(
                f"Grafana in {name} does not take its admin's new password (it answers {after or 'nothing'}): see "
                f"'docker logs {name}', then run 'pulumi up' again"
            )
    removed = _inside(engine, found.id, _TIDY, ("tidy", document.text("data"), document.text("database")))[1]
    return {
        "user": user,
        "set": before != ACCEPTED,
        "reason": "Grafana takes it already" if before == ACCEPTED else "Grafana refused it",
        "removed": sorted(removed.split()),
    }


def _inside(engine: Engine, container: str, script: str, words: tuple[str, ...]) -> tuple[int, str]:
    status, said = engine.inside(container, ["sh", "-eu", "-c", script, *words], SECONDS)
    return status, said.strip()
