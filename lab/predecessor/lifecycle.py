"""Up and down of the predecessor, to be run again whatever was killed in between.

Owns: the order (files, network and volumes, databases and sidecars, the gateway, its backends made known to it).
Deliberately does not: bring back a gateway that has handed the port over; that is `hostctl handover give`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lab.box import Box
from lab.predecessor import containers, files
from lab.predecessor.asking import ask
from lab.predecessor.services import BACKENDS, DATABASE, GATEWAY, SERVICES, SQLITE
from ops.errors import UserError

_OTHERS = [service for service in SERVICES if service is not GATEWAY]
_FILL_DATABASE = f"""
import sqlite3
with sqlite3.connect("{DATABASE}") as database:
    database.executescript('''
        CREATE TABLE IF NOT EXISTS projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, project INTEGER REFERENCES projects, text TEXT);
        INSERT OR IGNORE INTO projects VALUES (1, 'sentinel'), (2, 'garden');
        INSERT OR IGNORE INTO notes VALUES (1, 1, 'move the gateway'), (2, 2, 'prune the roses');
    ''')
"""


def up(box: Box, images: Mapping[str, str] | None = None, say: Callable[[str], None] = lambda doing: None) -> None:
    """Brings up what is missing; `images` are tags by name of `lab.images`, by default those that the box knows.

    With everything running, or the port handed over, nothing changes. Raises UserError when it cannot be brought up.
    """
    tags = box.images if images is None else images
    with containers.client(box.docker_host) as daemon:
        if containers.handed_over(daemon, GATEWAY):
            # The way back is recorded as it is: nothing of it is made anew.
            containers.wake(daemon, _OTHERS, say)
            return
        files.write(box, tags)
        values = files.environment(box)
        containers.ground(daemon)
        if SQLITE in containers.start(daemon, _OTHERS, tags, values, say):
            containers.run(daemon, SQLITE, ["python3", "-c", _FILL_DATABASE])
        containers.start(daemon, [GATEWAY], tags, values, say)
    _register(box, files.token_file(box).read_text(encoding="utf-8").strip(), say)


def down(box: Box) -> None:
    """Removes containers, network and volumes; the operator's files stay, as part of the box's home."""
    with containers.client(box.docker_host) as daemon:
        containers.remove(daemon)


def _register(box: Box, token: str, say: Callable[[str], None]) -> None:
    known = ask(box, "GET", "/gateways?include_inactive=true", token=token)
    if known.status != 200:
        raise UserError(
            f"The lab's ContextForge did not list its backends (status {known.status}); run 'make down' first."
        )
    there = {backend["name"] for backend in known.body}
    for name, url in BACKENDS.items():
        if name in there:
            continue
        say(f"making {name} known to ContextForge")
        made = ask(
            box, "POST", "/gateways", token=token, body={"name": name, "url": url, "transport": "STREAMABLEHTTP"}
        )
        if made.status not in (200, 201):
            raise UserError(f"The lab's ContextForge refused the backend {name} (status {made.status}): {made.body}")
