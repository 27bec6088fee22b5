"""`retire inspect | dump | begin | part | rejoin | remove | stale`: ContextForge leaves the host for good.

`inspect` lists what would go, `dump` keeps its database and its files, and with the operator's consent `begin` records
the list: from then on a killed run is resumed by that list, whatever is on the host by then.

Owns: `retired/retirement.json` in the product's folder, and removing what it lists, in this order: containers,
networks, volumes, images, files. Deliberately does not: change the stack (`ops/commands/retire_contextforge.py` does),
or remove what another container uses by now; that is reported instead.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from hostctl.core import json_file
from hostctl.core.documents import rows, table
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.core.timestamps import now
from hostctl.docker import containers
from hostctl.docker.engine import DockerError, Engine
from hostctl.docker.users import users
from hostctl.host import port_holder
from hostctl.retire import final_dump, inventory, preconditions
from hostctl.retire.request import RetireRequest

FOLDER, RECORD = "retired", "retirement.json"
STOP_SECONDS = 30


def inspect(request: RetireRequest) -> dict[str, Any]:
    """The inventory, the reasons against it, and the state of a retirement that has begun. Changes nothing."""
    engine, folder = Engine(request.docker_socket), request.folder
    retirement, facts = recorded(folder), preconditions.read(folder)
    parts = inventory.read(engine, request)
    refused, allowed_from = preconditions.refusals(facts, request.days)
    names = [str(container["name"]) for container in parts["containers"]]
    script_note = preconditions.script_note(request.script, names)
    return {
        **facts.document(),
        "refused": refused,
        "allowed_from": allowed_from,
        "inventory": parts,
        "notes": [script_note] if script_note else [],
        "begun": retirement.get("begun_at", ""),
        "retired": retirement.get("removed_at", ""),
    }


def dump(request: RetireRequest) -> dict[str, Any]:
    """Keep and verify the last dump and the files; after `begin` return those that are kept."""
    engine, folder = Engine(request.docker_socket), _folder(request)
    with _exclusive(request, "retire dump"):
        retirement = recorded(request.folder)
        if retirement.get("begun_at"):
            return table(retirement.get("kept"))
        final_dump.make_folder(folder)
        parts = inventory.read(engine, request)
        going = final_dump.described(engine, [str(container["id"]) for container in parts["containers"]])
        kept = {
            "dump": final_dump.take(engine, folder, going),
            "files": final_dump.keep_files(folder, [str(file["path"]) for file in parts["files"]]),
        }
        _save(folder, {"kept": kept})
    return kept


def begin(request: RetireRequest) -> dict[str, Any]:
    """Record the list of what goes, once. Raises Refusal without a dump."""
    engine, folder = Engine(request.docker_socket), _folder(request)
    with _exclusive(request, "retire begin"):
        retirement = recorded(request.folder)
        if not retirement.get("kept"):
            raise Refusal("there is no last dump yet: run 'retire dump' first")
        if not retirement.get("begun_at"):
            retirement |= {"begun_at": now(), "inventory": inventory.read(engine, request)}
            _save(folder, retirement)
    return retirement


def part(request: RetireRequest) -> dict[str, Any]:
    """Take the sidecars off ContextForge's networks; raises Refusal where one would lose its egress."""
    engine = Engine(request.docker_socket)
    with _exclusive(request, "retire part"):
        left: list[str] = []
        for sidecar, container in _sidecars(engine, request):
            networks = [name for name in sidecar["networks"] if container.on(name)]
            outside = [
                attachment
                for attachment in container.attachments
                if not attachment.internal and attachment.network not in networks
            ]
            if networks and not outside:
                raise Refusal(
                    f"{container.name} would have no egress without {', '.join(networks)}: set "
                    "networks.sidecars_out to true and run 'make up', then run again"
                )
            for name in networks:
                engine.post(f"/networks/{quote(name)}/disconnect", {"Container": container.id})
                left.append(f"{container.name} {name}")
    return {"left": left}


def rejoin(request: RetireRequest) -> dict[str, Any]:
    """Undo `part`, for a verification that failed after it."""
    engine = Engine(request.docker_socket)
    with _exclusive(request, "retire rejoin"):
        present, joined = containers.internal_networks(engine), list[str]()
        for sidecar, container in _sidecars(engine, request):
            for name in sidecar["networks"]:
                if name in present and not container.on(name):
                    aliases = {"Aliases": rows(table(sidecar.get("aliases")).get(name))}
                    body = {"Container": container.id, "EndpointConfig": aliases}
                    engine.post(f"/networks/{quote(name)}/connect", body)
                    joined.append(f"{container.name} {name}")
    return {"joined": joined}


def remove(request: RetireRequest) -> dict[str, Any]:
    """Remove what the list names; what is gone already is not an error, what is in use by now is kept and reported."""
    engine, folder = Engine(request.docker_socket), _folder(request)
    with _exclusive(request, "retire remove"):
        retirement = recorded(request.folder)
        if not retirement.get("begun_at"):
            raise Refusal("no retirement has begun: run 'retire begin' first")
        listed, kept = table(retirement["inventory"]), list[str]()
        identifiers = [str(container["id"]) for container in rows(listed.get("containers"))]
        _refuse_serving(engine, identifiers, request)
        for identifier in identifiers:
            _remove_container(engine, identifier)
        for network in rows(listed.get("networks")):
            _empty_standby(engine, str(network["name"]))
            used_by = users(engine, network=str(network["name"]))
            kept += _removed(engine, f"/networks/{quote(str(network['id']))}", str(network["name"]), used_by)
        for volume in rows(listed.get("volumes")):
            used_by = users(engine, volume=str(volume["name"]))
            kept += _removed(engine, f"/volumes/{quote(str(volume['name']))}", str(volume["name"]), used_by)
        for image in rows(listed.get("images")):
            used_by = users(engine, image=str(image["id"]))
            kept += _removed(engine, f"/images/{quote(str(image['id']))}?force=1", str(image["name"]), used_by)
        paths = [str(file["path"]) for file in rows(listed.get("files"))]
        kept += _remove_files(engine, paths, table(retirement["kept"]))
        retirement |= {"removed_at": retirement.get("removed_at") or now(), "left": kept}
        _save(folder, retirement)
    return retirement


def stale(request: RetireRequest) -> dict[str, Any]:
    """Remove the named networks, each only where still no container is on it."""
    engine = Engine(request.docker_socket)
    unused = {str(network["name"]): str(network["id"]) for network in inventory.read(engine, request)["stale"]}
    removed, kept = list[str](), list[str]()
    for name in request.names:
        left = [f"{name}: a container is on it"]
        if name in unused:
            used_by = users(engine, network=name)
            left = _removed(engine, f"/networks/{quote(unused[name])}", name, used_by)
        kept += left
        removed += [] if left else [name]
    return {"removed": removed, "kept": kept}


def recorded(folder: str) -> dict[str, Any]:
    """The retirement recorded in the product's folder, empty when there is none."""
    fix = "put it back from a backup, or remove it and run again"
    return json_file.read(os.path.join(folder, FOLDER, RECORD), fix) or {}


def _folder(request: RetireRequest) -> str:
    return os.path.join(request.folder, FOLDER)


def _exclusive(request: RetireRequest, reason: str) -> Any:
    return held(os.path.join(request.folder, "handover"), reason)


def _save(folder: str, retirement: dict[str, Any]) -> None:
    final_dump.make_folder(folder)
    json_file.write(os.path.join(folder, RECORD), retirement)


def _sidecars(engine: Engine, request: RetireRequest) -> list[tuple[dict[str, Any], containers.Container]]:
    """The listed sidecars that still exist, by name: compose may have recreated one."""
    networks = containers.internal_networks(engine)
    listed = [table(sidecar) for sidecar in rows(table(recorded(request.folder).get("inventory")).get("sidecars"))]
    existing = [(sidecar, containers.find(engine, str(sidecar["name"]), networks)) for sidecar in listed]
    return [(sidecar, container) for sidecar, container in existing if container is not None]


def _refuse_serving(engine: Engine, listed: list[str], request: RetireRequest) -> None:
    """The operator may have rolled back by hand since the list was written."""
    port = request.port
    holder = port_holder.among(containers.everything(engine), port, "")
    if holder.id in listed:
        raise Refusal(f"{holder.name} has port {port} again, so it cannot be removed: cut over first, then run again")


def _remove_container(engine: Engine, identifier: str) -> None:
    container = engine.find(f"/containers/{quote(identifier)}/json")
    if container is None:
        return
    if container["State"]["Paused"]:
        engine.post(f"/containers/{quote(identifier)}/unpause")
    if container["State"]["Running"]:
        # A database writes while it stops: the volume may be read once more before it goes.
        engine.post(f"/containers/{quote(identifier)}/stop?t={STOP_SECONDS}", seconds=2.0 * STOP_SECONDS)
    engine.delete(f"/containers/{quote(identifier)}?force=1")


def _empty_standby(engine: Engine, network: str) -> None:
    """Take everybody off the standby network, also a stopped container, which could not start without it."""
    if network in containers.networks_of_role(engine, containers.STANDBY_ROLE):
        for container in containers.everything(engine):
            if container.on(network):
                body = {"Container": container.id, "Force": True}
                engine.post(f"/networks/{quote(network)}/disconnect", body)


def _removed(engine: Engine, path: str, name: str, used_by: list[str]) -> list[str]:
    if used_by:
        return [_in_use(name, used_by)]
    try:
        engine.delete(path)
    except DockerError as error:
        if error.status not in (403, 409):
            raise
        return [f"{name}: {str(error).split(': ', 1)[-1]}"]
    return []


def _in_use(name: str, used_by: list[str]) -> str:
    return f"{name}: used by {', '.join(used_by)}"


def _remove_files(engine: Engine, paths: list[str], kept: dict[str, Any]) -> list[str]:
    """Remove only what the copy holds; a folder goes when nothing else is in it. The sentences on what is in use."""
    if not table(kept.get("files")).get("path"):
        return []
    left: list[str] = []
    for path in filter(os.path.isfile, paths):
        used_by = users(engine, path=path)
        if used_by:
            left.append(_in_use(path, used_by))
        else:
            os.unlink(path)
    for folder in sorted({os.path.dirname(path) for path in paths}):
        if os.path.isdir(folder) and not os.listdir(folder) and not users(engine, path=folder):
            os.rmdir(folder)
    return left
