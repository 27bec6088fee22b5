"""One verb of `hostctl` on the stack's host, outside of an engine's run: questions, and what is no part of the program.

Owns: how it gets there (here, or by `ssh` with the settings' own key and host key), and what of the state it needs.
The verb comes from this repository, not from the host, so that a host with an older one, or with none, can be asked.
Deliberately does not: change anything that the program declares.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pulumi import automation

from components.sentinel.configuration import ALIAS
from console.errors import UserError
from hostctl.build import UNPACKING, archive, packed
from ops.engine import sandbox
from ops.engine.run import EngineFailed, as_user_error
from settings import Settings
from settings.limits import PREDECESSOR_SECONDS
from settings.names import EDGE_NETWORK, INTERNAL_NETWORK, PREDECESSOR_HEALTH_PATH

LIMIT_SECONDS = 180
"""What a verb may take beside the limits that the settings give to its steps."""

SECRET = "4dabf18193072939515e22adb298388d"
"""The member by which the state marks a value that is not plain (sdk/go/common/resource/sig.go)."""

_RUNNER = (
    f"{UNPACKING}\nimport subprocess,tempfile\n"
    "program,document=sys.stdin.buffer.read().split(b'\\n',1)\n"
    "with tempfile.NamedTemporaryFile(suffix='.pyz') as file:\n"
    " file.write(unpacked(program)); file.flush()\n"
    " sys.exit(subprocess.run([sys.executable,'-I','-S',file.name,*sys.argv[1:]],input=document).returncode)\n"
)


def run(
    stack: str,
    settings: Settings,
    verb: str,
    word: str,
    document: Mapping[str, Any],
    *,
    limit_seconds: float = LIMIT_SECONDS,
) -> dict[str, Any]:
    """The verb's answer; raises UserError with its one sentence, EngineFailed when none comes within the limit."""
    asked = json.dumps({**document, "docker_socket": settings.host.docker_socket})
    words = _there(stack, settings, [verb, word])
    try:
        done = subprocess.run(
            words,
            input=packed(archive()) + b"\n" + asked.encode(),
            capture_output=True,
            timeout=limit_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is not on this machine: install it, then run again.") from None
    except subprocess.TimeoutExpired:
        raise EngineFailed(
            f"The host of stack {stack} gave no answer to `{verb} {word}` within {limit_seconds:g} s; it may be at "
            "work still, and the same command goes on from there."
        ) from None
    if done.returncode:
        raise UserError(_sentence(done.stderr.decode(errors="replace"), done.returncode))
    return cast("dict[str, Any]", json.loads(done.stdout))


def _sentence(said: str, code: int) -> str:
    """The verb's own sentence, with the lines of a log that may follow it; else the last line that there is."""
    lines = said.strip().splitlines() or [f"exit code {code} and no word"]
    own = next((at for at, line in enumerate(lines) if line.startswith("hostctl ")), len(lines) - 1)
    return "\n".join(lines[own:])


def handover_document(resources: Sequence[Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    """What the handover's verbs are asked with: as the state has it, else with what is known before a cutover."""
    taken = asked_of(resources, "handover", "cutover")
    if taken is not None:
        return taken
    folder = settings.host.folder
    return {
        "container": "",
        "edge": EDGE_NETWORK,
        "internal": INTERNAL_NETWORK,
        "aliases": [ALIAS],
        "also": list(settings.networks.also),
        "predecessor": predecessor_record(resources),
        "release": settings.predecessor.release,
        "port": settings.sentinel.port,
        "probe": {"path": "/mcp", "token_file": f"{folder}/handover-token"},
        "predecessor_probe": {"path": PREDECESSOR_HEALTH_PATH},
        "folder": f"{folder}/handover",
        "limits": {
            "answer_seconds": settings.sentinel.answer_seconds,
            "predecessor_seconds": PREDECESSOR_SECONDS,
            "drain_seconds": settings.sentinel.drain_seconds,
        },
    }


def handover_status(stack: str, settings: Settings, resources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Who has the port, and what a handover left behind or is at."""
    return run(stack, settings, "handover", "status", handover_document(resources, settings))


def hand_over(stack: str, settings: Settings, word: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """`take`, `give` or `rest`, which may take the predecessor's start, an answer, its stop, and the undo of them."""
    sentinel = settings.sentinel
    steps = PREDECESSOR_SECONDS + sentinel.answer_seconds + sentinel.drain_seconds
    return run(stack, settings, "handover", word, document, limit_seconds=LIMIT_SECONDS + 2 * steps)


def predecessor_record(resources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The record of before anything changed, from the state."""
    return answer_of(resources, "predecessor", "record") or {"kind": "absent"}


def resources_of(opened: automation.Stack, stack: str) -> list[Mapping[str, Any]]:
    """The state's resources, secrets still encrypted."""
    return resources_in(deployment_of(opened, stack))


def resources_in(deployment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those of an exported state; none before the first run."""
    return cast("list[Mapping[str, Any]]", deployment.get("resources") or [])


def deployment_of(opened: automation.Stack, stack: str, *, secrets: bool = False) -> Mapping[str, Any]:
    """The state as `pulumi stack export` gives it: secrets encrypted, unlike in the Automation API's own export."""
    words = ["stack", "export", "--stack", stack, *(["--show-secrets"] if secrets else [])]
    with as_user_error(f"reading the state of stack {stack}"):
        said = opened.workspace.pulumi_command.run(words, opened.workspace.work_dir, opened.workspace.env_vars)
    return cast("Mapping[str, Any]", json.loads(said.stdout)["deployment"])


def outputs_in(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The stack's own outputs in an exported state, without those that are secret; none before the first run."""
    own = (one.get("outputs") for one in resources_in(deployment) if one["type"] == "pulumi:pulumi:Stack")
    outputs = cast("Mapping[str, Any]", next(own, None) or {})
    return {name: value for name, value in outputs.items() if not (isinstance(value, dict) and SECRET in value)}


def asked_of(resources: Sequence[Mapping[str, Any]], verb: str, word: str, **wanted: object) -> dict[str, Any] | None:
    """The document with which an action of the program is asked; None where there is none, or it is a secret.

    `wanted` are members that it must have, where more than one action is asked by the same verb.
    """
    return _first(_commands(resources, verb, word), "inputs", "stdin", wanted)


def answer_of(resources: Sequence[Mapping[str, Any]], verb: str, word: str) -> dict[str, Any] | None:
    """What an action of the program answered last; None where there is none, or it is a secret."""
    return _first(_commands(resources, verb, word), "outputs", "stdout", {})


def _first(
    found: Sequence[Mapping[str, Any]], part: str, key: str, wanted: Mapping[str, object]
) -> dict[str, Any] | None:
    for one in found:
        said = one.get(part, {}).get(key)
        if isinstance(said, str) and said:
            document = cast("dict[str, Any]", json.loads(said))
            if all(document.get(name) == value for name, value in wanted.items()):
                return document
    return None


def _commands(resources: Sequence[Mapping[str, Any]], verb: str, word: str) -> list[Mapping[str, Any]]:
    """The actions that are made by this verb, the newest first where an older one waits to be deleted."""
    end = f" {verb} {word}"
    found = [one for one in resources if str(one.get("inputs", {}).get("create", "")).endswith(end)]
    return sorted(found, key=lambda one: bool(one.get("delete")))


def _there(stack: str, settings: Settings, words: Sequence[str]) -> list[str]:
    host = settings.host
    around = sandbox.of_stack(stack)
    if host.kind == "local":
        here = [sys.executable, "-I", "-c", _RUNNER, *words]
        return list(around.on_host(here)) if around else here
    far = " ".join(shlex.quote(word) for word in ["python3", "-I", "-c", _RUNNER, *words])
    key = ["-i", host.private_key_file, "-o", "IdentitiesOnly=yes"] if host.private_key_file else []
    ssh = [
        *("ssh", "-T", *key, "-p", str(host.port), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
        *("-o", f"KnownHostsCommand=/bin/echo %H {host.host_key}", "-o", "UserKnownHostsFile=none"),
        *(f"{host.user}@{host.address}", far),
    ]
    return list(around.on_host(ssh)) if around else ssh
