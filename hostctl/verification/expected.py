"""`expected keep | forget`, and the comparison of running containers with their declarations.

The published plugin may report a change that never reached the container (measured).

Owns: `expected.json` in the product's folder, and the comparison with `docker inspect`.
Deliberately does not: fix a difference. The declared facts come from the program (`components/base/container.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core import atomic_file
from hostctl.core.documents import parsed, rows, table
from hostctl.docker.engine import Engine

FILE = "expected.json"
_SECOND = 1_000_000_000


@dataclass(frozen=True)
class ExpectedRequest:
    """The product's folder, and the declared facts of each container: its "name" and members of `FACTS`."""

    folder: str
    containers: tuple[dict[str, Any], ...] = ()


def keep(request: ExpectedRequest) -> dict[str, Any]:
    """Keep the declared containers, so that they can be compared without an engine."""
    path = os.path.join(request.folder, FILE)
    os.makedirs(request.folder, mode=0o755, exist_ok=True)
    content = json.dumps({"containers": request.containers}, indent=1, sort_keys=True).encode() + b"\n"
    atomic_file.write(path, content, 0o644)
    return {"path": path, "containers": [container.get("name", "") for container in request.containers]}


def forget(request: ExpectedRequest) -> dict[str, Any]:
    """Remove the kept file; its absence is not an error."""
    path = os.path.join(request.folder, FILE)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return {"path": path, "removed": False}
    return {"path": path, "removed": True}


def check(engine: Engine, folder: str) -> dict[str, Any]:
    """{"ok", "containers": names, "differences": sentences}; ok, and without names, where nothing is kept."""
    try:
        with open(os.path.join(folder, FILE), encoding="utf-8") as file:
            kept = parsed(file.read()) or {}
    except FileNotFoundError:
        return {"ok": True, "containers": [], "differences": []}
    declared = [table(container) for container in rows(kept.get("containers"))]
    sentences = [sentence for container in declared for sentence in differences(engine, container)]
    return {
        "ok": not sentences,
        "containers": [str(container.get("name")) for container in declared],
        "differences": sentences,
    }


def differences(engine: Engine, expected: Mapping[str, Any]) -> list[str]:
    """One sentence for each fact of the container that differs from its declaration."""
    name = str(expected["name"])
    container = engine.find(f"/containers/{quote(name, safe='')}/json")
    if container is None:
        return [f"{name} does not exist"]
    inspected = {**container, _OWN_VARIABLES: _own_variables(engine, container, rows(expected.get("variables")))}
    return [
        f"{name}: {fact} is {_text(actual)}, expected {_text(expected[fact])}"
        for fact, read in FACTS.items()
        if fact in expected and (actual := read(inspected)) != expected[fact]
    ]


def _own_variables(engine: Engine, container: Mapping[str, Any], expected: list[Any]) -> list[str]:
    """Names of variables that are expected or that the image does not set; values are not compared."""
    image = engine.find(f"/images/{quote(str(container['Image']), safe='')}/json")
    names = _names(container)
    # An image that is gone may have set any of them.
    inherited = names if image is None else _names(image)
    return sorted(names - (inherited - set(expected)))


def _names(inspected: Mapping[str, Any]) -> set[str]:
    return {str(variable).partition("=")[0] for variable in rows(table(inspected["Config"]).get("Env"))}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _host(inspected: Mapping[str, Any]) -> dict[str, Any]:
    return table(inspected["HostConfig"])


def _capabilities(names: Any) -> list[str]:
    # Docker keeps each name as it was declared, with or without the prefix.
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


def _health(inspected: Mapping[str, Any]) -> dict[str, Any]:
    healthcheck = table(table(inspected["Config"]).get("Healthcheck"))
    seconds = {key: healthcheck.get(name, 0) / _SECOND for key, name in _HEALTH_SECONDS.items()}
    return {"command": rows(healthcheck.get("Test"))[1:], "retries": healthcheck.get("Retries", 0), **seconds}


_HEALTH_SECONDS = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}


def _mounts(inspected: Mapping[str, Any]) -> list[str]:
    """Each as the program spells it: destination, source, and access."""
    return sorted(
        f"{mount['Destination']} <- {mount.get('Name') or mount.get('Source', '')} "
        f"({'read and write' if mount.get('RW') else 'read only'})"
        for mount in rows(inspected.get("Mounts"))
        if mount.get("Type") in ("bind", "volume")
    )


def _log(inspected: Mapping[str, Any]) -> dict[str, Any]:
    configured = table(_host(inspected).get("LogConfig"))
    return {"driver": configured.get("Type", ""), **table(configured.get("Config"))}


_OWN_VARIABLES = "OwnVariables"
"""Added to the members of `docker inspect`."""

FACTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "image": lambda inspected: inspected["Image"],
    "running": lambda inspected: bool(inspected["State"]["Running"] and not inspected["State"]["Paused"]),
    "user": lambda inspected: table(inspected["Config"]).get("User", ""),
    "memory": lambda inspected: _host(inspected).get("Memory", 0),
    "memory_and_swap": lambda inspected: _host(inspected).get("MemorySwap", 0),
    "read_only_root": lambda inspected: bool(_host(inspected).get("ReadonlyRootfs")),
    "privileged": lambda inspected: bool(_host(inspected).get("Privileged")),
    "capabilities_dropped": lambda inspected: _capabilities(_host(inspected).get("CapDrop")),
    "capabilities_added": lambda inspected: _capabilities(_host(inspected).get("CapAdd")),
    "security": lambda inspected: sorted(rows(_host(inspected).get("SecurityOpt"))),
    "restart": lambda inspected: table(_host(inspected).get("RestartPolicy")).get("Name", ""),
    "init": lambda inspected: bool(_host(inspected).get("Init")),
    "log": _log,
    "variables": lambda inspected: inspected[_OWN_VARIABLES],
    "tmpfs": lambda inspected: table(_host(inspected).get("Tmpfs")),
    "health": _health,
    "mounts": _mounts,
    "declared_ports": lambda inspected: _ports(_host(inspected).get("PortBindings")),
    "published_ports": lambda inspected: _ports(table(inspected["NetworkSettings"]).get("Ports")),
    "networks": lambda inspected: sorted(table(table(inspected["NetworkSettings"]).get("Networks"))),
}
"""Each compared fact, by its name in the declaration and in a difference."""
