"""`retire look | dump | begin | part | rejoin | remove | stale`: ContextForge leaves the host for good.

What goes is listed (`look`), its database and its files are kept (`dump`), and with the operator's word the list is
written down (`begin`): from then on a killed run is gone on with by that list, whatever the host looks like by then.

Owns: `retired/retirement.json` in the product's folder, and removing what stands in it, in this order: containers,
networks, volumes, images, files. Deliberately does not: ask, change the stack (`ops/commands/retire_contextforge.py` does), or remove what
another container uses by now: that is told instead.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote

from hostctl.core import atomic_file
from hostctl.core.documents import Document, parsed, rows, table
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.core.timestamps import now
from hostctl.docker import containers
from hostctl.docker.engine import DockerError, Engine
from hostctl.host import port_holder
from hostctl.retire import final_dump, inventory, preconditions

FOLDER, NOTE = "retired", "retirement.json"
STOP_SECONDS = 30


def inspect(document: Document) -> dict[str, Any]:
    """What would go, what is lacking, and what a begun retirement still has to do; changes nothing."""
    engine, folder = Engine(document.text("docker_socket")), document.text("folder")
    noted, facts = note(folder), preconditions.read(folder)
    found = inventory.read(engine, document)
    refused, allowed_from = preconditions.refusals(facts, document)
    names = [str(one["name"]) for one in found["containers"]]
    told = preconditions.note_of(document.text("script", ""), names)
    return {
        **facts.document(),
        "refused": refused,
        "allowed_from": allowed_from,
        "inventory": found,
        "notes": [told] if told else [],
        "begun": noted.get("begun_at", ""),
        "retired": noted.get("removed_at", ""),
    }


def dump(document: Document) -> dict[str, Any]:
    """The last dump and the files, kept and verified; of a retirement that has begun, those that it kept."""
    engine, folder = Engine(document.text("docker_socket")), _folder(document)
    with _alone(document, "retire dump"):
        noted = note(document.text("folder"))
        if noted.get("begun_at"):
            return table(noted.get("kept"))
        final_dump.make_folder(folder)
        found = inventory.read(engine, document)
        going = final_dump.described(engine, [str(one["id"]) for one in found["containers"]])
        kept = {
            "dump": final_dump.take(engine, folder, going),
            "files": final_dump.keep_files(folder, [str(one["path"]) for one in found["files"]]),
        }
        _save(folder, {"kept": kept})
    return kept


def begin(document: Document) -> dict[str, Any]:
    """Write down what goes; what stands there already is kept. Raises Refusal without a dump."""
    engine, folder = Engine(document.text("docker_socket")), _folder(document)
    with _alone(document, "retire begin"):
        noted = note(document.text("folder"))
        if not noted.get("kept"):
            raise Refusal("there is no last dump yet: run 'retire dump' first")
        if not noted.get("begun_at"):
            noted |= {"begun_at": now(), "inventory": inventory.read(engine, document)}
            _save(folder, noted)
    return noted


def part(document: Document) -> dict[str, Any]:
    """Take the sidecars off ContextForge's networks; raises Refusal where one would lose its way out."""
    engine = Engine(document.text("docker_socket"))
    with _alone(document, "retire part"):
        left: list[str] = []
        for sidecar, container in _sidecars(engine, document):
            networks = [name for name in sidecar["networks"] if container.on(name)]
            outside = [one for one in container.attachments if not one.internal and one.network not in networks]
            if networks and not outside:
                raise Refusal(
                    f"{container.name} would have no way out without {', '.join(networks)}: set "
                    "networks.sidecars_out to true and run 'make up', then run again"
                )
            for name in networks:
                engine.post(f"/networks/{quote(name)}/disconnect", {"Container": container.id})
                left.append(f"{container.name} {name}")
    return {"left": left}


def rejoin(document: Document) -> dict[str, Any]:
    """Undo of `part`, for a verification that failed after it."""
    engine = Engine(document.text("docker_socket"))
    with _alone(document, "retire rejoin"):
        there, joined = containers.internal_networks(engine), list[str]()
        for sidecar, container in _sidecars(engine, document):
            for name in sidecar["networks"]:
                if name in there and not container.on(name):
                    aliases = {"Aliases": rows(table(sidecar.get("aliases")).get(name))}
                    body = {"Container": container.id, "EndpointConfig": aliases}
                    engine.post(f"/networks/{quote(name)}/connect", body)
                    joined.append(f"{container.name} {name}")
    return {"joined": joined}


def remove(document: Document) -> dict[str, Any]:
    """Remove what stands in the list; what is gone already is no error, what somebody uses by now is told."""
    engine, folder = Engine(document.text("docker_socket")), _folder(document)
    with _alone(document, "retire remove"):
        noted = note(document.text("folder"))
        if not noted.get("begun_at"):
            raise Refusal("no retirement has begun: run 'retire begin' first")
        listed, kept = table(noted["inventory"]), list[str]()
        _refuse_who_serves(engine, [str(one["id"]) for one in rows(listed.get("containers"))], document)
        for one in rows(listed.get("containers")):
            _remove_container(engine, str(one["id"]))
        for one in rows(listed.get("networks")):
            kept += _removed(engine, f"/networks/{quote(str(one['id']))}", str(one["name"]))
        for one in rows(listed.get("volumes")):
            kept += _removed(engine, f"/volumes/{quote(str(one['name']))}", str(one["name"]))
        for one in rows(listed.get("images")):
            kept += _removed(engine, f"/images/{quote(str(one['id']))}?force=1", str(one["name"]))
        _remove_files([str(one["path"]) for one in rows(listed.get("files"))], table(noted["kept"]))
        noted |= {"removed_at": noted.get("removed_at") or now(), "left": kept}
        _save(folder, noted)
    return noted


def stale(document: Document) -> dict[str, Any]:
    """Remove the named networks, each only where still nobody is on it."""
    engine, asked = Engine(document.text("docker_socket")), document.texts("names")
    found = {str(one["name"]): str(one["id"]) for one in inventory.read(engine, document)["stale"]}
    removed = [name for name in asked if name in found]
    kept = [f"{name}: somebody is on it" for name in asked if name not in found]
    for name in list(removed):
        left = _removed(engine, f"/networks/{quote(found[name])}", name)
        kept += left
        removed = [one for one in removed if not left or one != name]
    return {"removed": removed, "kept": kept}


def note(folder: str) -> dict[str, Any]:
    """What is noted of a retirement in the product's folder, empty when there is none."""
    path = os.path.join(folder, FOLDER, NOTE)
    try:
        with open(path, encoding="utf-8") as file:
            found = parsed(file.read())
    except FileNotFoundError:
        return {}
    if found is None:
        raise Refusal(f"{path} is no JSON: put it back from a backup, or remove it and run again")
    return found


def _folder(document: Document) -> str:
    return os.path.join(document.text("folder"), FOLDER)


def _alone(document: Document, reason: str) -> Any:
    return held(os.path.join(document.text("folder"), "handover"), reason)


def _save(folder: str, noted: dict[str, Any]) -> None:
    final_dump.make_folder(folder)
    atomic_file.write(os.path.join(folder, NOTE), (json.dumps(noted, indent=1, sort_keys=True) + "\n").encode(), 0o600)


def _sidecars(engine: Engine, document: Document) -> list[tuple[dict[str, Any], containers.Container]]:
    """Those of the list that are still there, by name: compose may have made one anew."""
    networks = containers.internal_networks(engine)
    listed = [table(one) for one in rows(table(note(document.text("folder")).get("inventory")).get("sidecars"))]
    found = [(one, containers.find(engine, str(one["name"]), networks)) for one in listed]
    return [(one, container) for one, container in found if container is not None]


def _refuse_who_serves(engine: Engine, listed: list[str], document: Document) -> None:
    """Somebody may have gone back by hand since the list was written."""
    port = document.whole_number("port")
    holder = port_holder.among(containers.everything(engine), port, "")
    if holder.id in listed:
        raise Refusal(f"{holder.name} has port {port} again, so it cannot go: cut over first, then run again")


def _remove_container(engine: Engine, identifier: str) -> None:
    seen = engine.find(f"/containers/{quote(identifier)}/json")
    if seen is None:
        return
    if seen["State"]["Paused"]:
        engine.post(f"/containers/{quote(identifier)}/unpause")
    if seen["State"]["Running"]:
        # A database writes at its end: the volume may be looked at once more before it goes.
        engine.post(f"/containers/{quote(identifier)}/stop?t={STOP_SECONDS}", seconds=2.0 * STOP_SECONDS)
    engine.delete(f"/containers/{quote(identifier)}?force=1")


def _removed(engine: Engine, path: str, name: str) -> list[str]:
    try:
        engine.delete(path)
    except DockerError as error:
        if error.status not in (403, 409):
            raise
        return [f"{name}: {str(error).split(': ', 1)[-1]}"]
    return []


def _remove_files(paths: list[str], kept: dict[str, Any]) -> None:
    """Only what the copy holds; a folder goes when nothing else is in it."""
    if not table(kept.get("files")).get("path"):
        return
    for path in paths:
        if os.path.isfile(path):
            os.unlink(path)
    for folder in sorted({os.path.dirname(path) for path in paths}):
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)
