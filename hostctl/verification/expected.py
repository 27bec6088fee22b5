"""`expected keep | forget`, and the comparison of running containers with their declarations (`expected.json`).

The published plugin may report a change that never reached the container (measured). A difference is not fixed here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hostctl.core import json_file
from hostctl.core.documents import rows, table
from hostctl.docker import containers
from hostctl.docker.engine import Engine
from hostctl.docker.users import is_ours, missing_mounts, name_of

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
    json_file.write(path, {"containers": request.containers}, 0o644)
    return {"path": path, "containers": [container.get("name", "") for container in request.containers]}


def forget(request: ExpectedRequest) -> dict[str, Any]:
    """Remove the kept file; its absence is not an error."""
    path = os.path.join(request.folder, FILE)
    return {"path": path, "removed": bool(json_file.remove(request.folder, FILE))}


def check(engine: Engine, folder: str, every: bool = False) -> dict[str, Any]:
    """{"ok", "containers": names, "differences": sentences}; ok, and without names, where nothing is kept.

    With `every`, each further container of ours must run, monitoring's among them.
    """
    kept = json_file.read(os.path.join(folder, FILE)) or {}
    declared = [table(container) for container in rows(kept.get("containers"))]
    sentences = [sentence for container in declared for sentence in differences(engine, container)]
    listed = containers.listed(engine)
    if every:
        sentences += not_running(listed, {str(container.get("name")) for container in declared})
    sentences += [
        f"{name}: {path}, which it mounts, is missing, and it cannot start again: `make up` writes it again"
        for name, path in missing_mounts(listed)
    ]
    return {
        "ok": not sentences,
        "containers": [str(container.get("name")) for container in declared],
        "differences": sentences,
    }


def not_running(listed: Sequence[dict[str, Any]], declared: Collection[str]) -> list[str]:
    """A sentence for each other container of ours that is stopped or unhealthy; a gateway out of service may be so."""
    sentences: list[str] = []
    for row in listed:
        gateway = table(row.get("Labels")).get(containers.ROLE_LABEL) == containers.GATEWAY_ROLE
        if not is_ours(row) or gateway or name_of(row) in declared:
            continue
        if row.get("State") != "running":
            sentences.append(f"{name_of(row)} is {row.get('State')}: `make up` restores it")
        elif "(unhealthy)" in str(row.get("Status")):
            sentences.append(f"{name_of(row)} is unhealthy: see `docker logs {name_of(row)}`")
    return sorted(sentences)


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
    return sorted(str(name).upper().removeprefix("CAP_") for name in rows(names))


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
