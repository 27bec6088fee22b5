"""The view from inside Sentinel's container as the user of each stdio server, and all processes in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_PROCESSES = """
import json, pathlib
found = []
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    except OSError:
        continue
    found.append({"pid": int(folder.name), "parent": int(lines["PPid"]),
                  "user": int(lines["Uid"].split()[0]), "groups": lines["Groups"].split(),
                  "command": lines["Name"].strip(), "capabilities": int(lines["CapEff"], 16)})
print(json.dumps(found))
"""
_OPENED = """
import json, os, pathlib, socket
opened = {}
def tried(path):
    try:
        opened[str(path)] = len(open(path, "rb").read())
    except OSError:
        pass
for folder in ("/run/secrets", "/etc/sentinel"):
    try:
        names = os.listdir(folder)
    except OSError:
        names = ["bridge.json", "sentinel-main.toml", "sentinel-slow.toml"]
    for name in names:
        tried(os.path.join(folder, name))
own, files = {}, {}
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        user, text = folder.stat().st_uid, (folder / "environ").read_bytes().decode("utf-8", "replace")
    except OSError:
        continue
    if user != os.getuid():
        opened[str(folder / "environ")] = user
    elif int(folder.name) != os.getpid():
        own[folder.name] = dict(pair.split("=", 1) for pair in text.split(chr(0)) if "=" in pair)
        targets = set()
        for link in (folder / "fd").glob("*"):
            try:
                targets.add(os.readlink(link).partition(":[")[0])
            except OSError:
                pass
        files[folder.name] = sorted(targets)
connection = socket.socket(socket.AF_UNIX)
try:
    connection.connect("/tmp/bridge/launcher")
    opened["the launcher's socket"] = 1
except OSError:
    pass
print(json.dumps({"opened": opened, "environments": own, "files": files}))
"""


@dataclass
class Inside:
    """`processes` of the container; by user, what it could `opened`, and the `environments` of its processes.

    `files` are the open files of each process; sockets, pipes and such are there by their kind.
    """

    processes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    opened: dict[int, dict[str, int]] = field(default_factory=dict[int, dict[str, int]])
    environments: dict[int, dict[str, dict[str, str]]] = field(default_factory=dict[int, dict[str, dict[str, str]]])
    files: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def started_by_the_supervisor(self, pid: str) -> bool:
        """True for a server; a browser below it writes its title over its environment."""
        users = {one["pid"]: one["user"] for one in self.processes}
        return any(str(one["pid"]) == pid and users.get(one["parent"]) == 0 for one in self.processes)


def seen_from_inside(docker: Callable[..., str]) -> Inside:
    """As the user of each server: a process that Docker starts as that user may do what the server may.

    `docker` runs one command of Docker's on the lab and returns its output.
    """
    names = docker("ps", "--filter", "label=sentinel-cutover.role=gateway", "--format", "{{.Names}}").split()
    (container,) = names
    inside = Inside(json.loads(docker("exec", container, "python3", "-I", "-c", _PROCESSES)))
    supervised = {one["user"] for one in inside.processes} - {0}
    for user in supervised - {min(supervised)}:
        program = ["exec", "--user", f"{user}:{user}", container, "python3", "-I", "-c", _OPENED]
        found = json.loads(docker(*program))
        inside.opened[user], inside.environments[user] = found["opened"], found["environments"]
        inside.files |= found["files"]
    return inside
