"""Up and down of the predecessor, to be run again whatever was killed in between.

Owns: the order (files, network and volumes, databases, sidecars and the gateway, its backends made known to it).
Deliberately does not: bring back a gateway that has handed the port over; that is `hostctl handover rollback`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from console.errors import UserError
from hostctl.retire import recorded
from lab.box import Box
from lab.real.contextforge import containers, files
from lab.real.contextforge.http_call import call
from lab.real.contextforge.services import BACKENDS, DATABASE, GATEWAY, SERVICES, SIDECARS, SIDECARS_ELSEWHERE, SQLITE

_OTHERS = [service for service in SERVICES if service is not GATEWAY]
_DATABASES = [service for service in _OTHERS if service not in SIDECARS]
_FILL_DATABASE = f"""
import sqlite3
with sqlite3.connect("{DATABASE}") as database:
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'projects'").fetchall():
        database.executescript('''
            BEGIN;
            CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
            CREATE TABLE notes (id INTEGER PRIMARY KEY, project INTEGER REFERENCES projects, text TEXT);
            INSERT INTO projects VALUES (1, 'sentinel'), (2, 'garden');
            INSERT INTO notes VALUES (1, 1, 'move the gateway'), (2, 2, 'prune the roses');
            COMMIT;
        ''')
"""


def up(box: Box, images: Mapping[str, str] | None = None, say: Callable[[str], None] = lambda doing: None) -> None:
    """Brings up what is missing; `images` are tags by name of `lab.images`, by default those that the box knows.

    With everything running, or the port handed over, nothing changes. Raises UserError when it cannot be brought up.
    """
    tags = box.images if images is None else images
    with containers.client(box.docker_host) as daemon:
        if _retired(box):
            containers.start_existing(daemon, SIDECARS, say)
            return
        if containers.handed_over(daemon, GATEWAY):
            # The rollback is recorded as it is: nothing of it is created again.
            containers.start_existing(daemon, _OTHERS, say)
            return
        files.write(box, tags)
        values = files.environment(box)
        containers.make_network_and_volumes(daemon)
        containers.start(daemon, _DATABASES, tags, values, say)
        sidecars = SIDECARS_ELSEWHERE if box.hardened else SIDECARS
        containers.start(daemon, [*sidecars, GATEWAY], tags, values, say)
        # Not the operator's file: after a run that was cut off it may hold Sentinel's.
        token = files.new_token(values)
        if missing := _unknown_backends(box, token):
            # Filled before it is made known, so that a run killed in between fills it again.
            containers.run(daemon, SQLITE, ["python3", "-c", _FILL_DATABASE])
            for name in missing:
                say(f"making {name} known to ContextForge")
                _register(box, token, name)


def down(box: Box) -> None:
    """Removes containers, network and volumes; the operator's files stay, as part of the box's home."""
    with containers.client(box.docker_host) as daemon:
        containers.remove(daemon)


def _retired(box: Box) -> bool:
    """True once `make retire-contextforge` has begun here: a removed part is not created again."""
    return bool(recorded(box.folder).get("begun_at"))


def _unknown_backends(box: Box, token: str) -> list[str]:
    known = call(box, "GET", "/gateways?include_inactive=true", token=token)
    if known.status != 200:
        raise UserError(
            f"The lab's ContextForge did not list its backends (status {known.status}); run 'make down' first."
        )
    there = {backend["name"] for backend in known.body}
    return [name for name in BACKENDS if name not in there]


def _register(box: Box, token: str, name: str) -> None:
    backend = {"name": name, "url": BACKENDS[name], "transport": "STREAMABLEHTTP"}
    made = call(box, "POST", "/gateways", token=token, body=backend)
    if made.status not in (200, 201):
        raise UserError(f"The lab's ContextForge refused the backend {name} (status {made.status}): {made.body}")
