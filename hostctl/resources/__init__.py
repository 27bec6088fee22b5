"""`resources keep | write | free | forget`: memory and CPU of the product's containers, by Docker's own statistics.

Owns: its request, kept for the job that runs `write` once a minute, and the file of metrics that Prometheus reads.
Deliberately does not: keep running between two readings, or need more of Docker than its statistics; a container that
does not run has no line. Each sample carries its time, so that a job that stopped leaves no figure that seems new.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from hostctl.core import atomic_file, json_file, requests
from hostctl.core.documents import Document, table
from hostctl.core.errors import Refusal
from hostctl.docker.containers import GATEWAY_ROLE, ROLE_LABEL
from hostctl.docker.engine import DockerError, Engine
from hostctl.docker.users import is_ours
from hostctl.host.free_space import disk_of, dockers_folder
from hostctl.resources import firewall_reading, process_memory
from hostctl.schedule import installer
from hostctl.schedule.job import AUTO, EveryMinute, Job, Scheduler

NAME = "sentinel-resources"
REQUEST = "request.json"
LIMIT_SECONDS = 50
_ALONE = "import sys; sys.path.insert(0, sys.argv[1]); from hostctl import resources; resources.alone()"
MOST_AT_ONCE = 8
MEMORY, LIMIT = "sentinel_container_memory_bytes", "sentinel_container_memory_limit_bytes"
CPU, PROCESS, TARGET = (
    "sentinel_container_cpu_seconds_total",
    "sentinel_process_memory_bytes",
    "sentinel_memory_target_bytes",
)
DISK = "sentinel_disk_free_share"
UNMET = "sentinel_firewall_rules_unmet"
_HELP = {
    MEMORY: ("gauge", "Memory of a container without the file cache that the kernel can drop, as docker stats has it."),
    LIMIT: ("gauge", "Most memory that the container may have."),
    CPU: ("counter", "CPU time of a container."),
    PROCESS: ("gauge", "Resident memory of the bridge and of the gateway, without their backends."),
    DISK: ("gauge", "Free part of the disk with the product's folder, Docker's, or the backups, 0 to 1."),
    UNMET: ("gauge", "Rules of the firewall that no packet met when they were last read, before they were set again."),
    TARGET: ("gauge", "What bridge and gateway together should stay under."),
}
Samples = dict[str, list[tuple[str, float]]]
"""By metric: the label as it is written, and the value."""


@dataclass(frozen=True)
class ResourcesRequest:
    """The file of metrics, the memory that bridge and gateway together should stay under, the folder of backups.

    `firewall` is the file with the last reading of the firewall's rules.
    """

    folder: str
    program: str
    file: str
    target_mb: int
    scheduler: Scheduler = AUTO
    docker_socket: str = ""
    backups: str = ""
    firewall: str = ""

    @property
    def job(self) -> Job:
        """`write` once a minute, without the other verbs: reading all of them costs more than the reading itself."""
        argv = ("python3", "-I", "-S", "-c", _ALONE, self.program)
        description = "memory and CPU of the stack's containers for Prometheus"
        file = os.path.join(self.folder, REQUEST)
        return Job(NAME, description, argv, file, EveryMinute(), self.scheduler, LIMIT_SECONDS)


@dataclass(frozen=True)
class FreeRequest:
    """The product's folder and the folder of backups."""

    folder: str
    backups: str = ""
    docker_socket: str = ""


def keep(request: ResourcesRequest) -> dict[str, Any]:
    """Keep the request, write the first file, and have the host write it from now on; raises Refusal."""
    job = request.job
    json_file.write(job.request_file, requests.write(request), 0o644)
    written = write(request)
    installed = installer.install(job)
    return {**written, "place": installed.place, "changed": installed.changed}


def write(request: ResourcesRequest) -> dict[str, Any]:
    """Read every container of the product, and rewrite the file; raises Refusal."""
    engine, file = Engine(request.docker_socket), request.file
    target = request.target_mb * 1024 * 1024
    collected: Samples = {name: [] for name in _HELP}
    collected[TARGET].append(("", target))
    collected[DISK] += [(f'{{disk="{name}"}}', free) for name, free in _disks(engine, request).items()]
    unmet = firewall_reading.unmet(request.firewall)
    collected[UNMET] += [] if unmet is None else [("", unmet)]
    running = _running(engine)
    with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
        # Docker answers each in a second or so, since it takes its statistics once in that time.
        readings = list(pool.map(partial(_read, engine.path), running))
    for _, samples in readings:
        for metric, added in samples.items():
            collected[metric] += added
    names = [name for name, _ in readings]
    content = "".join(lines(collected, round(time.time() * 1000)))
    try:
        atomic_file.write(file, content.encode(), 0o444)
    except OSError as error:
        raise Refusal(f"{file} cannot be written ({error.strerror}): fix that, then run again") from None
    return {"file": file, "containers": sorted(names)}


def alone() -> None:
    """`write` as the job runs it, without the other verbs."""
    try:
        write(requests.read(ResourcesRequest, Document.parse(sys.stdin.read())))
    except (Refusal, OSError) as failure:
        sys.exit(f"hostctl resources write: {failure} (docs/runbook.md#hostctl-resources-write)")


def forget(request: ResourcesRequest) -> dict[str, Any]:
    """Remove the job, the file of metrics and the request; one that does not exist is not an error."""
    removed = installer.remove(request.job)
    removed += [request.file] if os.path.exists(request.file) else []
    if os.path.exists(request.file):
        os.unlink(request.file)
    return {"removed": [*removed, *json_file.remove(request.folder, REQUEST)]}


def free(request: FreeRequest) -> dict[str, Any]:
    """{"disks": {name: free share, 0 to 1}}."""
    return {"disks": _disks(Engine(request.docker_socket), request)}


def disks(folders: Mapping[str, str]) -> dict[str, float]:
    """The free share of each folder's disk; a folder that does not exist yet counts as the one above it."""
    found = {name: disk_of(folder) for name, folder in folders.items() if folder}
    return {name: round(disk.f_bavail / max(disk.f_blocks, 1), 4) for name, disk in found.items()}


def _disks(engine: Engine, request: ResourcesRequest | FreeRequest) -> dict[str, float]:
    return disks({"product": request.folder, "docker": dockers_folder(engine), "backups": request.backups})


def _running(engine: Engine) -> list[dict[str, Any]]:
    running = engine.get("/containers/json")
    return [short for short in running if is_ours(short)]


def _read(socket_path: str, short: Mapping[str, Any]) -> tuple[str, Samples]:
    """The container's name and samples, by a connection of its own."""
    engine, samples = Engine(socket_path), Samples()
    name, identifier = str(short["Names"][0]).lstrip("/"), short["Id"]
    try:
        statistics = table(engine.get(f"/containers/{identifier}/stats?stream=false&one-shot=true"))
        inspected = table(engine.get(f"/containers/{identifier}/json"))
    except DockerError as error:
        if error.status in (404, 409):
            # Gone since it was listed: the next reading has none of it.
            return name, samples
        raise
    memory, cpu = table(statistics.get("memory_stats")), table(table(statistics.get("cpu_stats")).get("cpu_usage"))
    label = f'{{container="{name}"}}'
    if "usage" in memory:
        samples[MEMORY] = [(label, memory["usage"] - droppable(memory))]
        samples[LIMIT] = [(label, memory.get("limit", 0))]
        samples[CPU] = [(label, cpu.get("total_usage", 0) / 1e9)]
    if table(short.get("Labels")).get(ROLE_LABEL) == GATEWAY_ROLE:
        first = int(table(inspected.get("State")).get("Pid") or 0)
        samples[PROCESS] = [
            (f'{{container="{name}",process="{process}"}}', resident)
            for process, resident in process_memory.of_bridge_and_gateway(first).items()
        ]
    return name, samples


def droppable(memory: Mapping[str, Any]) -> int:
    """Bytes of file cache that have not been used lately: `inactive_file` of cgroup 2, `total_inactive_file` of 1."""
    details = table(memory.get("stats"))
    return min(int(details.get("inactive_file", details.get("total_inactive_file", 0))), int(memory["usage"]))


def lines(samples: Samples, moment: int) -> Iterator[str]:
    """The file's lines; `moment` is in milliseconds since 1970."""
    for name, (kind, help_) in _HELP.items():
        yield f"# HELP {name} {help_}\n# TYPE {name} {kind}\n"
        for label, value in samples.get(name, ()):
            yield f"{name}{label} {value:.10g} {moment}\n"
