"""`firewall repair | guard`: a job reads the rules once a minute and sets them again where packets do not meet them.

Owns: the job, its request, and `state.json`, from which `resources write` takes the metric.
Deliberately does not: touch the operator's script, whose block is for the next boot.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

from hostctl.core import json_file, requests
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.core.lock import held
from hostctl.firewall import listed
from hostctl.firewall.privileges import runner
from hostctl.firewall.request import REQUEST, FirewallRequest
from hostctl.schedule import installer
from hostctl.schedule.job import EveryMinute, Job

STATE = "state.json"


@dataclass(frozen=True)
class GuardRequest:
    """The firewall's folder."""

    folder: str
    docker_socket: str = ""


def keep(request: FirewallRequest) -> dict[str, Any]:
    """Have the host run `repair` once a minute; a host that cannot is no failure, since the rules are set."""
    if not request.program:
        return {}
    try:
        json_file.write(request.request_file, requests.write(request), 0o644)
        return {"repair": installer.install(_job(request)).place}
    except (Refusal, OSError) as error:
        return {"repair": f"not installed: {error}"}


def forget(request: FirewallRequest) -> None:
    """Remove the job, its request and its readings."""
    if request.program:
        installer.remove(_job(request))
    json_file.remove(request.folder, REQUEST, STATE)


def repair(request: FirewallRequest) -> dict[str, Any]:
    """Set the rules again where any is not met; {"unmet": how many were not, "left": how many still are not}."""
    run = runner(request)
    unmet = left = listed.unmet(request, run)
    if unmet:
        with held(request.folder, "firewall repair"):
            run(request.expected_block.text)
        left = listed.unmet(request, run)
    reading = {"at": time.time(), "unmet": len(unmet), "left": len(left)}
    json_file.write(os.path.join(request.folder, STATE), reading, 0o644)
    return {"unmet": unmet, "left": left}


def guard(request: GuardRequest) -> dict[str, Any]:
    """The rules that packets do not meet now, by the request that was kept; {} where none was."""
    found = json_file.read(os.path.join(request.folder, REQUEST))
    if not found:
        return {}
    kept = requests.read(FirewallRequest, Document(found, "the firewall's kept request"))
    return {"ports": list(kept.ports), "interfaces": list(kept.interfaces), "unmet": listed.unmet(kept, runner(kept))}


def _job(request: FirewallRequest) -> Job:
    argv = ("python3", "-I", "-S", request.program, "firewall", "repair")
    description = "the guarded ports stay closed on the public interface"
    return Job("sentinel-firewall", description, argv, request.request_file, EveryMinute(), request.scheduler, 50)
