"""The sandbox of the stack `lab`: the seam between the operator's commands and the lab (ops/engine/sandbox.py).

Owns: the order in which the lab is made ready: box, images, ContextForge, engine, plugins, stack, secrets.
Deliberately does not: make any of these; each has a module of its own.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from console.errors import UserError
from console.progress import LongStep, Progress, Step
from lab import box as vps
from lab import engine, stack_configuration
from lab.box import Box, Place, facts, tools
from lab.box.network import inside
from lab.doubles.discord import running as discord
from lab.doubles.plugins import LabFacts

STACK = "lab"
_PLACE = Place()
_VERSIONS: Mapping[str, Sequence[str]] = {
    "dnsmasq": ("--version",),
    "dockerd": ("--version",),
    "docker": ("--version",),
    "ip": ("-V",),
    "iptables": ("--version",),
    "nsenter": ("--version",),
    "sshd": ("-V",),
}


def long_steps() -> Sequence[LongStep]:
    """Packages and images: what needs neither the engine nor the running box."""
    from lab import images

    tools.require_system()
    if not tools.missing() and not images.missing():
        return []
    return [LongStep("Making the lab's packages and images ready", _packages_then_images)]


def prepare(progress: Progress) -> None:
    from lab import images

    if images.missing():
        images.build(progress)
    box = vps.up(_PLACE, progress)
    discord.ensure(_PLACE)
    with progress.step("Loading images into the VPS") as step:
        step.say("docker load")
        box = _with_images(box, images.load(box.docker_host))
    # ContextForge takes its 12 s to start; the engine's part is ready meanwhile.
    progress.side_by_side(
        [
            LongStep("Starting ContextForge", lambda step: _start_containers(box, step)),
            LongStep("Making the lab's stack ready", lambda step: _make_stack(box, step)),
        ]
    )


def environment() -> Mapping[str, str]:
    return engine.environment(_PLACE)


def on_host(arguments: Sequence[str]) -> Sequence[str]:
    return inside(_PLACE.vps, list(arguments))


def remove(progress: Progress) -> None:
    vps.down(_PLACE, progress)
    _stack_file().unlink(missing_ok=True)


def doctor() -> Sequence[Mapping[str, str]]:
    rows = [_tool_row(name) for name in _VERSIONS]
    for name in ("docker", "command"):
        found, version, kind = engine.plugin_kind(_PLACE, name)
        rows.append({"part": f"plugin {name} (lab)", "found": found, "version": version, "kind": kind})
    seen = vps.status(_PLACE)
    rows.append(
        {
            "part": "lab",
            "found": str(_PLACE.folder) if seen.box else "",
            "version": "runs" if seen.stands else "; ".join(seen.problems),
            "kind": "real" if seen.stands else "missing",
        }
    )
    return rows


def _start_containers(box: Box, step: Step) -> None:
    from lab.real import contextforge, neighbours

    if box.hardened:
        neighbours.up(box)
    contextforge.up(box, say=step.say)


def _packages_then_images(step: Step) -> None:
    from lab import images

    tools.install(step)
    images.build(step.progress)


def _with_images(box: Box, tags: Mapping[str, str]) -> Box:
    if dict(tags) == box.images:
        return box
    changed = box.with_images(dict(tags))
    facts.write(_PLACE.facts, changed)
    return changed


def _plugin_facts(box: Box) -> LabFacts:
    return LabFacts(docker_hosts=(box.docker_host,), ssh_hosts=(box.ssh.address,))


def _make_stack(box: Box, step: Step) -> None:
    """Engine, plugins and configuration; the stack in its own backend, with every secret that can be made."""
    from lab.doubles import plugins
    from ops.engine.stack_secrets import made_keys, make_secrets, runner

    if not engine.passphrase_file(_PLACE).exists():
        # Of a lab that is gone: its secrets could be read with its own passphrase only.
        _stack_file().unlink(missing_ok=True)
    engine.prepare(_PLACE, box)
    plugins.install(engine.home(_PLACE), _plugin_facts(box))
    stack_configuration.write(_stack_file(), _PLACE.folder / "stack-rendered.yaml", box)
    variables = {**os.environ, **environment(), "PULUMI_SKIP_UPDATE_CHECK": "1"}
    variables["PATH"] = f"{environment()['PATH']}{os.pathsep}{os.environ.get('PATH', '')}"
    if not (_PLACE.folder / "state" / ".pulumi" / "stacks" / "sentinel-cutover" / f"{STACK}.json").exists():
        step.say("pulumi stack init")
        _pulumi(["stack", "select", "--create", "--non-interactive", STACK], variables)
    operators = {"firecrawl_api_key": f"fc-{secrets.token_hex(16)}", "discord_webhook": discord.webhook(_PLACE)}
    if {*made_keys(), *operators} <= stack_configuration.keys(_stack_file()):
        return
    step.say("pulumi config set")
    lacking = make_secrets(STACK, runner(STACK, variables, _PLACE.root)).yours
    # Keys that only an operator has; the lab's outside takes any of the right form.
    for key in operators.keys() & set(lacking):
        _pulumi(["config", "set", "--secret", "--stack", STACK, key], variables, operators[key])


def _pulumi(argv: Sequence[str], variables: Mapping[str, str], stdin: str = "") -> None:
    done = subprocess.run(
        [str(_PLACE.bin / "pulumi"), *argv],
        cwd=_PLACE.root,
        env=variables,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f"The engine could not `pulumi {argv[0]}` the stack {STACK}: {' '.join(done.stderr.split())}")


def _stack_file() -> Path:
    return _PLACE.root / f"Pulumi.{STACK}.yaml"


def _tool_row(name: str) -> Mapping[str, str]:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")
    if found is None:
        return {"part": f"{name} (lab)", "found": "", "version": "", "kind": "missing"}
    done = subprocess.run(
        [found, *_VERSIONS[name]], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if any(letter.isdigit() for letter in line)]
    return {"part": f"{name} (lab)", "found": found, "version": lines[0].strip() if lines else "", "kind": "real"}
