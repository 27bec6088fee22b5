"""`reboot arm|disarm|mark|check|show`: after each boot of the host, whether everything came back, and how long it took.

Owns: the marker (`asked.json`: what must be true, and what ran when it was written), the entry by which the host runs
`check` after a boot, the result (`result.json`) and the one message about it.
Deliberately does not: fix anything. Who has the port after a boot is decided before it, by restart policies.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from hostctl import discord, grafana
from hostctl.core import atomic_file, lock, secret_file
from hostctl.core.documents import Document, parsed
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import now
from hostctl.docker.engine import DockerError, Engine
from hostctl.reboot_check import checks
from hostctl.reboot_check.checks import Asked, Row
from hostctl.schedule import at_boot
from hostctl.schedule.at_boot import BootEntry

ASKED, RESULT = "asked.json", "result.json"
REASON = "reboot-check check"
POLL_SECONDS = 1.0
AGAIN_SECONDS = 3.0
"""Between two calls of a backend: ContextForge takes 100 requests in a minute and no more."""
TELL_SECONDS = 30.0
LONGEST_MESSAGE = 1500


def arm(document: Document) -> dict[str, Any]:
    """Write the marker and the entry for the host's boot; both are as asked afterwards. Raises Refusal."""
    folder, entry = _folder(document), _entry(document)
    Asked.of(document)
    document.seconds("limit_seconds")
    os.makedirs(folder, mode=0o750, exist_ok=True)
    marked = _mark(folder, document.values)
    done = at_boot.put(entry)
    return {"by": entry.kind, "path": entry.path, "entry": done, **marked}


def disarm(document: Document) -> dict[str, Any]:
    """Take away the entry, the marker and the result; what is gone already is no error."""
    folder, entry = _folder(document), _entry(document)
    taken = at_boot.take(entry)
    for name in (ASKED, RESULT, "lock"):
        if os.path.lexists(os.path.join(folder, name)):
            os.unlink(os.path.join(folder, name))
    if os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)
    return {"path": entry.path, "removed": taken}


def mark(document: Document) -> dict[str, Any]:
    """The marker anew, with what runs now; raises Refusal where there is none."""
    folder = _folder(document)
    asked = _kept(folder, ASKED)
    if not asked:
        raise Refusal("no check after a boot is set up on this host: set reboot.enabled and run 'make up'")
    return _mark(folder, asked)


def show(document: Document) -> dict[str, Any]:
    """The marker's time, whether a check is at work, and the result of the boot since; None while there is none.

    "overdue" says that the host booted and nothing checked it.
    """
    folder = _folder(document)
    asked, result = _kept(folder, ASKED), _kept(folder, RESULT)
    owner = lock.owner(folder) if asked else None
    at_work = owner is not None and owner.get("reason") == REASON
    booted = bool(asked) and _boot_id() not in (asked.get("boot_id"), result.get("boot_id"))
    overdue = booted and not at_work and _uptime() > float(asked.get("limit_seconds", 0))
    return {
        "armed": bool(asked),
        "marked_at": asked.get("marked_at", ""),
        # Between the boot and the check's first breath nobody is at work yet.
        "running": at_work or (booted and not overdue),
        "overdue": overdue,
        "result": result if result and result.get("marked_at") == asked.get("marked_at") else None,
    }


def check(document: Document) -> dict[str, Any]:
    """What must be true after a boot, waited for; kept, told to Discord, and answered. Run by the boot's entry."""
    folder, entry, asked = _folder(document), _entry(document), Asked.of(document)
    limit = document.seconds("limit_seconds")
    if not _kept(folder, ASKED):
        raise Refusal(f"there is no marker in {folder}: set reboot.enabled and run 'make up'")
    with lock.held(folder, REASON):
        began = time.monotonic()
        found = _finished(asked, entry, began + limit)
        passed = time.monotonic() - began
        result: dict[str, Any] = {
            "ok": all(row.ok for row in found),
            "at": now(),
            "seconds": round(passed, 1),
            "seconds_after_boot": _seconds_after_boot(document),
            "boot_id": _boot_id(),
            "marked_at": document.text("marked_at", ""),
            "active": asked.active,
            "parts": [{"part": row.part, "ok": row.ok, "detail": row.detail} for row in found],
        }
        # On the disk before anybody is told: Discord may take its time.
        _keep(folder, RESULT, result, 0o644)
        result["told"] = _tell(document, result)
        _keep(folder, RESULT, result, 0o644)
    return result


def sentence(result: dict[str, Any]) -> str:
    """The result in one line, as Discord shows it."""
    took = f"{result['seconds']:g} s after the check began"
    if result["seconds_after_boot"] is not None:
        took = f"{result['seconds_after_boot']:g} s after the boot"
    who = {"sentinel": "Sentinel", "contextforge": "ContextForge"}[result["active"]]
    bad = [f"{one['part']}: {one['detail']}" for one in result["parts"] if not one["ok"]]
    if not bad:
        return f"The host restarted: {who} has the port and all {len(result['parts'])} parts are well, {took}."
    return f"The host restarted, and after {result['seconds']:g} s this is not well: {' | '.join(bad)}"[
        :LONGEST_MESSAGE
    ]


def _finished(asked: Asked, entry: BootEntry, end: float) -> list[Row]:
    """The rows when each is well or will not become so, or when the time is over."""
    engine, good = Engine(asked.docker_socket), set[str]()
    try:
        engine.wait_until_up(max(0.0, end - time.monotonic()))
    except DockerError as error:
        return [Row("docker", False, str(error))]
    backends, again = Row("backends", False, "not asked: nobody has the port"), 0.0
    while True:
        found = _looks(engine, asked, entry)
        port = next((row for row in found if row.part == "port"), None)
        if port is not None and port.ok and not backends.finished and time.monotonic() >= again:
            backends, again = checks.of_backends(asked, good), time.monotonic() + AGAIN_SECONDS
        elif port is not None and port.final:
            backends = Row("backends", False, "not asked: the port is not with whom it should be", final=True)
        found.append(backends)
        if all(row.finished for row in found) or time.monotonic() >= end:
            return found
        time.sleep(POLL_SECONDS)


def _looks(engine: Engine, asked: Asked, entry: BootEntry) -> list[Row]:
    """Every part but the backends, as it is now."""
    try:
        world = checks.seen(engine)
    except DockerError as error:
        return [Row("docker", False, str(error))]
    return [
        checks.of_containers(asked, world),
        checks.of_networks(asked, world),
        checks.of_port(asked, world),
        checks.of_firewall(asked),
        checks.of_timers(entry, asked.night_folder),
        checks.of_monitoring(asked, world),
    ]


def _tell(document: Document, result: dict[str, Any]) -> str:
    """By Grafana, the way that alerts take, else from the host itself; in words what became of it."""
    message, tried = sentence(result), list[str]()
    password_file = document.text("grafana_password_file", "")
    if document.whole_number("grafana_port", 0) and password_file:
        try:
            sent = grafana.send(_to_grafana(document, message, secret_file.read(password_file), result["ok"]))
            if sent["sent"]:
                return "sent by Grafana"
            tried.append(f"Grafana: {sent['reason']}")
        except Refusal as refusal:
            tried.append(str(refusal))
    webhook_file = document.text("webhook_file", "")
    if webhook_file:
        try:
            posted = discord.post(_to_discord(webhook_file, message))
            if posted["posted"]:
                return "sent by the host"
            tried.append(f"the host: {posted['reason']}")
        except Refusal as refusal:
            tried.append(f"the host: {refusal}")
    return f"not sent: {'; '.join(tried)}" if tried else "not sent: no discord_webhook is set"


def _to_discord(webhook_file: str, message: str) -> discord.PostRequest:
    content = message[: discord.MOST_CHARACTERS]
    return discord.PostRequest(webhook_file, content=content, patient=True, limit_seconds=TELL_SECONDS)


def _to_grafana(document: Document, message: str, password: str, ok: bool) -> grafana.SendRequest:
    return grafana.SendRequest(
        address="127.0.0.1",
        port=document.whole_number("grafana_port"),
        user=document.text("grafana_user", "admin"),
        password=password,
        contact_point=document.text("contact_point", ""),
        limit_seconds=TELL_SECONDS,
        alert={
            "labels": {"alertname": "Reboot check", "severity": "none" if ok else "critical"},
            "annotations": {
                "summary": message,
                "description": "nothing to do." if ok else "make reboot-check; then make status.",
                "runbook_url": document.text("runbook", ""),
            },
        },
    )


def _mark(folder: str, values: dict[str, Any]) -> dict[str, Any]:
    asked = Asked.of(Document(values))
    engine = Engine(asked.docker_socket)
    before = checks.running_before(checks.seen(engine), asked)
    marked = {"marked_at": now(), "before": before, "boot_id": _boot_id()}
    _keep(folder, ASKED, {**values, **marked}, 0o600)
    return {"marked_at": marked["marked_at"], "watched": sorted({*before, *asked.running})}


def _entry(document: Document) -> BootEntry:
    words = ["python3", "-I", "-S", document.text("program"), "reboot-check", "check"]
    return at_boot.of(document, words, os.path.join(_folder(document), ASKED))


def _folder(document: Document) -> str:
    folder = document.text("folder")
    if not os.path.isabs(folder):
        raise Refusal("'folder' is a relative path: give an absolute one")
    return folder


def _kept(folder: str, name: str) -> dict[str, Any]:
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return parsed(file.read()) or {}
    except FileNotFoundError:
        return {}


def _keep(folder: str, name: str, values: dict[str, Any], mode: int) -> None:
    atomic_file.write(os.path.join(folder, name), json.dumps(values, indent=1).encode() + b"\n", mode)


def _boot_id() -> str:
    """The kernel's name of this boot (random(4))."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def _seconds_after_boot(document: Document) -> float | None:
    """Since the kernel started; None where it has not since the marker, as in a machine that is only a part of one."""
    return None if document.text("boot_id", "") == _boot_id() else _uptime()


def _uptime() -> float:
    with open("/proc/uptime", encoding="ascii") as file:
        return round(float(file.read().split()[0]), 1)
