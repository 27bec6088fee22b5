"""The way in which the rules come back at a boot: by the block in the operator's script, or by an entry of ours.

The block is worth what the script is worth. So the host's scheduler has an entry that sets the rules where nothing runs
the script, an ordinary user does, git tracks it (an edit would be theirs to commit), or it is not there.

Owns: that choice, and the entry, which runs `firewall restore` with the kept request (`hostctl/firewall/kept.py`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from hostctl.core import json_file, requests
from hostctl.core.errors import Refusal
from hostctl.firewall.request import FirewallRequest
from hostctl.schedule import installer, script_block, script_runner, work_tree
from hostctl.schedule.job import AtBoot, Job

NAME = "sentinel-cutover-firewall"


@dataclass(frozen=True)
class Way:
    """The block, the entry or both, and the reason for an entry."""

    block: bool
    entry: bool
    reason: str = ""


def way(request: FirewallRequest) -> Way:
    """The way for this host as it is now."""
    script = request.script
    if not request.program:
        return Way(block=True, entry=False)
    if not os.path.exists(script):
        return Way(False, True, f"{script} is not on this host")
    tree = work_tree.tracking(script)
    if tree:
        return Way(False, True, f"git tracks {script} in {tree}")
    runner = script_runner.of(script, request.scheduler.cron_folder)
    if runner is None:
        return Way(request.escalation == "root", True, f"no table that this user may read runs {script}")
    if not runner.is_root:
        return Way(False, True, f"{script} is run by {runner.user}, who is not root")
    if not os.access(script, os.W_OK):
        return Way(False, True, f"this user may not write {script}")
    return Way(block=True, entry=False)


def write(request: FirewallRequest, chosen: Way) -> script_block.Outcome:
    """Put block and entry where they belong, and take them from where they do not; raises Refusal."""
    block = request.expected_block
    outcome = script_block.put(request.script, block, request.copy) if chosen.block else _taken(request)
    if not chosen.entry:
        remove_entry(request)
        return outcome
    json_file.write(request.request_file, requests.write(request), 0o644)
    installed = installer.install(job(request))
    return script_block.Outcome(installed.changed, f"{chosen.reason}: {installed.place} sets the rules", outcome.copy)


def remove_entry(request: FirewallRequest) -> None:
    """Take the entry off the host; an absent one is no error. Raises Refusal."""
    if request.program:
        installer.remove(job(request))


def holds_block(request: FirewallRequest) -> bool:
    """True where the script has our block; raises Refusal."""
    text = script_block.read(request.script)
    return text is not None and script_block.held(text, request.expected_block, request.script)


def problem(request: FirewallRequest, chosen: Way) -> str:
    """The reason why the rules would not come back at a boot, empty when they would. Raises Refusal."""
    found = list[str]()
    if chosen.block and not holds_block(request):
        found.append(f"{request.script} has lost its block")
    if chosen.entry:
        found.append(installer.problem(job(request)))
    return "; ".join(one for one in found if one)


def job(request: FirewallRequest) -> Job:
    argv = ("python3", "-I", "-S", request.program, "firewall", "restore")
    description = "the guarded ports are closed to the outside again after a boot"
    return Job(NAME, description, argv, request.request_file, AtBoot(), request.scheduler)


def _taken(request: FirewallRequest) -> script_block.Outcome:
    try:
        return script_block.take(request.script, request.expected_block, request.copy)
    except Refusal:
        # No shell script, so no block of ours is in it.
        return script_block.Outcome(False, "the script holds no such block")
