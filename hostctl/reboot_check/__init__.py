"""`reboot-check arm|disarm|mark|check|show`: everything came back after a boot of the host, and how long it took.

Owns: the marker (`request.json`: what must be true, and what ran when it was written), the job by which the host runs
`check` after a boot, and the result (`result.json`).
Restart policies decide before a boot who has the port after it; where the power went inside a handover, `check` first
ends that by its journal. Deliberately does not: fix anything else.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from hostctl import handover
from hostctl.core import json_file, lock, requests
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.core.timestamps import now
from hostctl.docker.engine import DockerError, Engine
from hostctl.handover.request import RecoverRequest
from hostctl.reboot_check import docker_checks, host_checks, message
from hostctl.reboot_check.request import FolderRequest, RebootCheckRequest
from hostctl.reboot_check.row import Row
from hostctl.schedule import installer

RESULT = "result.json"
REASON = "reboot-check check"
POLL_SECONDS = 1.0
AGAIN_SECONDS = 3.0
"""Between two calls of a backend: ContextForge takes 100 requests in a minute and no more."""


def arm(request: RebootCheckRequest) -> dict[str, Any]:
    """Write the marker, and have the host run the check after its boots. Raises Refusal."""
    marked = _mark(request)
    installed = installer.install(request.job)
    return {"by": installed.kind, "path": installed.place, "entry": installed.reason, **marked}


def disarm(request: RebootCheckRequest) -> dict[str, Any]:
    """Remove the job, the marker and the result; an absent one is not an error."""
    removed = installer.remove(request.job)
    json_file.remove(request.folder, os.path.basename(request.request_file), RESULT, "lock")
    return {"path": request.job.place, "removed": bool(removed)}


def mark(request: FolderRequest) -> dict[str, Any]:
    """Rewrite the marker with what runs now; raises Refusal where there is none."""
    marker = _kept(request.request_file)
    if not marker:
        raise Refusal("no check after a boot is set up on this host: set reboot.enabled and run 'make up'")
    return _mark(requests.read(RebootCheckRequest, Document(marker, request.request_file)))


def show(request: FolderRequest) -> dict[str, Any]:
    """The marker's time, a check that is at work, and the result of the boot since; None while there is none.

    "overdue": the host booted and nothing checked it.
    """
    marker, result = _kept(request.request_file), _kept(_result_file(request))
    owner = lock.owner(request.folder) if marker else None
    at_work = owner is not None and owner.get("reason") == REASON
    booted = bool(marker) and _boot_id() not in (marker.get("boot_id"), result.get("boot_id"))
    overdue = booted and not at_work and _uptime() > float(marker.get("limit_seconds", 0))
    return {
        "armed": bool(marker),
        "marked_at": marker.get("marked_at", ""),
        # Between the boot and the start of the check nobody is at work yet.
        "running": at_work or (booted and not overdue),
        "overdue": overdue,
        "result": result if result and result.get("marked_at") == marker.get("marked_at") else None,
    }


def check(request: RebootCheckRequest) -> dict[str, Any]:
    """Wait for what must be true after a boot, keep the result and send it. The job runs it, with the marker."""
    if not _kept(request.request_file):
        raise Refusal(f"there is no marker in {request.folder}: set reboot.enabled and run 'make up'")
    with lock.held(request.folder, REASON):
        began = time.monotonic()
        rows = _finished(request, began + request.limit_seconds)
        passed = time.monotonic() - began
        result: dict[str, Any] = {
            "ok": all(row.ok for row in rows),
            "at": now(),
            "seconds": round(passed, 1),
            # None after a restart without a boot of the kernel, as of a container.
            "seconds_after_boot": None if request.boot_id == _boot_id() else _uptime(),
            "boot_id": _boot_id(),
            "marked_at": request.marked_at,
            "active": request.active,
            "parts": [{"part": row.part, "ok": row.ok, "detail": row.detail} for row in rows],
        }
        # On the disk before it is sent: Discord may take its time.
        json_file.write(_result_file(request), result, 0o644)
        result["message"] = message.send(request, result)
        json_file.write(_result_file(request), result, 0o644)
    return result


def _finished(request: RebootCheckRequest, end: float) -> list[Row]:
    """The rows once each is well or final, or once the time is over."""
    engine, good = Engine(request.docker_socket), set[str]()
    try:
        engine.wait_until_up(max(0.0, end - time.monotonic()))
    except DockerError as error:
        return [Row("docker", False, str(error))]
    interrupted = _recovered(request)
    backends, again = Row("backends", False, "not called: nobody has the port"), 0.0
    while True:
        rows = _rows(engine, request)
        port = next((row for row in rows if row.part == "port"), None)
        if port is not None and port.ok and not backends.finished and time.monotonic() >= again:
            backends, again = host_checks.of_backends(request, good), time.monotonic() + AGAIN_SECONDS
        elif port is not None and port.final:
            backends = Row("backends", False, "not called: the wrong owner has the port", final=True)
        rows += [backends, *interrupted]
        if all(row.finished for row in rows) or time.monotonic() >= end:
            return rows
        time.sleep(POLL_SECONDS)


def _recovered(request: RebootCheckRequest) -> list[Row]:
    """A row only where an interrupted handover could not be ended."""
    folder = os.path.join(os.path.dirname(request.folder), "handover")
    try:
        handover.recover(RecoverRequest(folder, request.docker_socket))
    except Refusal as refusal:
        return [Row("handover", False, str(refusal), final=True)]
    return []


def _rows(engine: Engine, request: RebootCheckRequest) -> list[Row]:
    """Every part but the backends, as it is now."""
    try:
        state = docker_checks.read(engine)
    except DockerError as error:
        return [Row("docker", False, str(error))]
    return [
        docker_checks.of_containers(request, state),
        docker_checks.of_networks(request, state),
        docker_checks.of_port(request, state),
        host_checks.of_firewall(request),
        host_checks.of_jobs(request),
        host_checks.of_monitoring(request, state),
    ]


def _mark(request: RebootCheckRequest) -> dict[str, Any]:
    before = docker_checks.running_before(docker_checks.read(Engine(request.docker_socket)), request)
    marker = replace(request, marked_at=now(), before=before, boot_id=_boot_id())
    json_file.write(request.request_file, requests.write(marker), folder_mode=0o750)
    return {"marked_at": marker.marked_at, "watched": marker.running}


def _result_file(request: FolderRequest) -> str:
    return os.path.join(request.folder, RESULT)


def _kept(path: str) -> dict[str, Any]:
    return json_file.read(path) or {}


def _boot_id() -> str:
    """The kernel's name of this boot (random(4))."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def _uptime() -> float:
    with open("/proc/uptime", encoding="ascii") as file:
        return round(float(file.read().split()[0]), 1)
