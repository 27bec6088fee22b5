"""`asked keep | forget`, and whether what runs is what was asked: the published plugin may report a change that never
reached the container (measured).

Owns: `asked.json` in the product's folder, and the comparison with `docker inspect`.
Deliberately does not: fix a difference. What was asked comes from the program (`components/base/container.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from hostctl.core import atomic_file
from hostctl.core.documents import Document, parsed, rows, table
from hostctl.docker.engine import Engine

FILE = "asked.json"
_SECOND = 1_000_000_000


def keep(document: Document) -> dict[str, Any]:
    """Keep the containers as they were asked for, so that they can be compared without an engine."""
    folder, asked = document.text("folder"), [one.values for one in document.objects("containers")]
    os.makedirs(folder, mode=0o755, exist_ok=True)
    content = json.dumps({"containers": asked}, indent=1, sort_keys=True).encode() + b"\n"
    atomic_file.write(os.path.join(folder, FILE), content, 0o644)
    return {"path": os.path.join(folder, FILE), "containers": [one.get("name", "") for one in asked]}


def forget(document: Document) -> dict[str, Any]:
    """Remove what was kept; nothing kept is no error."""
    path = os.path.join(document.text("folder"), FILE)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return {"path": path, "removed": False}
    return {"path": path, "removed": True}


def check(engine: Engine, folder: str) -> dict[str, Any]:
    """{"ok", "containers": names, "differences": sentences}; ok where nothing was kept, and then no names."""
    try:
        with open(os.path.join(folder, FILE), encoding="utf-8") as file:
            kept = parsed(file.read()) or {}
    except FileNotFoundError:
        return {"ok": True, "containers": [], "differences": []}
    asked = [table(one) for one in rows(kept.get("containers"))]
    told = [sentence for one in asked for sentence in differences(engine, one)]
    return {"ok": not told, "containers": [str(one.get("name")) for one in asked], "differences": told}


def differences(engine: Engine, asked: Mapping[str, Any]) -> list[str]:
    """One sentence for each fact of the container that is not as asked."""
    name = str(asked["name"])
    container = engine.find(f"/containers/{quote(name, safe='')}/json")
    if container is None:
        return [f"{name} does not exist"]
    found = {**container, _OWN_VARIABLES: _own_variables(engine, container, rows(asked.get("variables")))}
    return [
        f"{name}: {fact} is {_told(is_so)}, asked was {_told(asked[fact])}"
        for fact, read in _FACTS.items()
        if fact in asked and (is_so := read(found)) != asked[fact]
    ]


def _own_variables(engine: Engine, container: Mapping[str, Any], asked: list[Any]) -> list[str]:
    """Names of variables that were asked for or that the image does not give; values are not looked at."""
    image = engine.find(f"/images/{quote(str(container['Image']), safe='')}/json")
    names = _names(container)
    # Of an image that is gone nobody can say what it gave.
    given = names if image is None else _names(image)
    return sorted(names - (given - set(asked)))


def _names(found: Mapping[str, Any]) -> set[str]:
    return {str(variable).partition("=")[0] for variable in rows(table(found["Config"]).get("Env"))}


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _host(found: Mapping[str, Any]) -> dict[str, Any]:
    return table(found["HostConfig"])


def _capabilities(names: Any) -> list[str]:
    # Docker keeps what it was given, with or without the prefix.
    return sorted(_bare(str(name)) for name in rows(names))


def _bare(name: str) -> str:
    return name.upper()[4:] if name.upper().startswith("CAP_") else name.upper()


def _ports(bindings: Any) -> list[str]:
    return sorted(
        {
            f"{bound.get('HostIp', '')}:{bound.get('HostPort', '')}:{inside.split('/')[0]}"
            for inside, many in table(bindings).items()
            for bound in rows(many)
        }
    )


def _health(found: Mapping[str, Any]) -> dict[str, Any]:
    check_ = table(table(found["Config"]).get("Healthcheck"))
    seconds = {key: check_.get(name, 0) / _SECOND for key, name in _HEALTH_SECONDS.items()}
    return {"command": rows(check_.get("Test"))[1:], "retries": check_.get("Retries", 0), **seconds}


_HEALTH_SECONDS = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}


def _mounts(found: Mapping[str, Any]) -> list[str]:
    """Each as the program spells it: where it is seen, what it is, and whether it can be written."""
    return sorted(
        f"{mount['Destination']} <- {mount.get('Name') or mount.get('Source', '')} "
        f"({'read and write' if mount.get('RW') else 'read only'})"
        for mount in rows(found.get("Mounts"))
        if mount.get("Type") in ("bind", "volume")
    )


def _log(found: Mapping[str, Any]) -> dict[str, Any]:
    configured = table(_host(found).get("LogConfig"))
    return {"driver": configured.get("Type", ""), **table(configured.get("Config"))}


_OWN_VARIABLES = "OwnVariables"
"""Laid beside what Docker says of a container."""

_FACTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "image": lambda found: found["Image"],
    "running": lambda found: bool(found["State"]["Running"] and not found["State"]["Paused"]),
    "user": lambda found: table(found["Config"]).get("User", ""),
    "memory": lambda found: _host(found).get("Memory", 0),
    "memory_and_swap": lambda found: _host(found).get("MemorySwap", 0),
    "read_only_root": lambda found: bool(_host(found).get("ReadonlyRootfs")),
    "privileged": lambda found: bool(_host(found).get("Privileged")),
    "capabilities_dropped": lambda found: _capabilities(_host(found).get("CapDrop")),
    "capabilities_added": lambda found: _capabilities(_host(found).get("CapAdd")),
    "security": lambda found: sorted(rows(_host(found).get("SecurityOpt"))),
    "restart": lambda found: table(_host(found).get("RestartPolicy")).get("Name", ""),
    "init": lambda found: bool(_host(found).get("Init")),
    "log": _log,
    "variables": lambda found: found[_OWN_VARIABLES],
    "tmpfs": lambda found: table(_host(found).get("Tmpfs")),
    "health": _health,
    "mounts": _mounts,
    "declared_ports": lambda found: _ports(_host(found).get("PortBindings")),
    "published_ports": lambda found: _ports(table(found["NetworkSettings"]).get("Ports")),
    "networks": lambda found: sorted(table(table(found["NetworkSettings"]).get("Networks"))),
}
"""What is compared, by the name under which it is asked and told."""
