"""`python -m ops COMMAND --stack STACK [--json] [--yes]`: the command behind each target of `make`.

Owns: the table of commands, stdout (a command's result, nothing else), exit status: 0 only when the result is ok.
Deliberately does not: show a traceback for an error that a person can fix.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from types import FrameType

from console.errors import UserError
from console.paths import LOGS, VENV
from console.progress import Progress
from console.result import Result

INTERRUPTED = 130
LINK = "docs/runbook.md#"

COMMANDS: dict[str, tuple[str, ...]] = {
    "up": ("yes",),
    "preview": (),
    "refresh": ("yes",),
    "adopt": ("yes",),
    "verify": (),
    "status": (),
    "history": (),
    "rollback": ("to", "force", "yes"),
    "report": ("send", "yes"),
    "stop-predecessor": ("yes",),
    "end-grace": ("yes",),
    "retire-contextforge": ("stale", "yes"),
    "secrets": (),
    "settings": (),
    "rotate": ("secret", "yes"),
    "pin": (),
    "alert-drill": (),
    "dashboard-picture": ("minutes",),
    "backup": (),
    "restore-drill": (),
    "restore": ("from_", "yes"),
    "reboot-check": ("again",),
    "doctor": (),
    "env": (),
    "ready": (),
    "down": ("yes",),
    "fleet-up": ("at_once", "yes"),
    "fleet-preview": ("at_once",),
    "fleet-status": ("at_once",),
    "fleet-verify": ("at_once",),
    "fleet-rollback": ("at_once", "yes"),
}
"""Each command with the options that it takes; its function and its file in `ops/commands` bear its name."""

OF_A_FLEET = "fleet-"
"""The beginning of a command's name that takes any number of stacks; every other one takes exactly one."""


def main() -> int:
    parser = _parser()
    arguments = parser.parse_args()
    if len(arguments.stack) != 1 and not arguments.command.startswith(OF_A_FLEET):
        parser.error(f"{arguments.command} takes one stack")
    signal.signal(signal.SIGTERM, _as_interrupt)
    # uv, which the lock brings, is found where the machine has none.
    os.environ["PATH"] = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    progress = Progress(LOGS)
    try:
        options = {name: getattr(arguments, name) for name in COMMANDS[arguments.command]}
        stacks = tuple(arguments.stack) if arguments.command.startswith(OF_A_FLEET) else arguments.stack[0]
        result = function_of(arguments.command)(stacks, progress, **options)
    except UserError as error:
        return _refused(_with_link(error, arguments.command), arguments)
    except OSError as error:
        # A full disk, or a file of another user; a missing program has already raised a sentence of its own.
        where = f" at {error.filename}" if error.filename else ""
        fix = f"fix that, then run `make {arguments.command}` again."
        return _refused(f"{error.strerror or error}{where}: {fix}", arguments)
    except KeyboardInterrupt:
        progress.end_children()
        print(f"Interrupted: run `make {arguments.command}` again to continue.", file=sys.stderr)
        return INTERRUPTED
    text = json.dumps(result.document) if arguments.json else result.text
    if text:
        print(text)
    return INTERRUPTED if result.interrupted else 0 if result.ok else 1


def function_of(command: str) -> Callable[..., Result]:
    """The command's function; imported only now, since most commands need only a small part of the code."""
    name = command.replace("-", "_")
    return getattr(importlib.import_module(f"ops.commands.{name}"), name)


def _refused(sentence: str, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print(json.dumps({"ok": False, "error": sentence}))
    print(sentence, file=sys.stderr)
    return 1


def _with_link(error: UserError, command: str) -> str:
    """The error's sentence; a failed run links to its heading in the runbook, unless the failed step has done so."""
    from ops.engine.run import EngineFailed

    sentence = str(error)
    if isinstance(error, EngineFailed) and LINK not in sentence:
        return f"{sentence} (docs/runbook.md#make-{command})"
    return sentence


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops", description="The operator's commands; see `make help`.")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--stack", required=True, type=_stack_name, nargs="*")
    parser.add_argument("--at-once", type=_count, default=3, help="fleet: hosts at work at the same time")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--secret", default="", help="rotate: the secret's name")
    parser.add_argument("--to", type=int, help="rollback: the number of an update in the history")
    parser.add_argument("--force", action="store_true", help="rollback: even where ContextForge fails a gate")
    parser.add_argument("--from", dest="from_", default="", help="restore: a backup's name, or its path on the host")
    parser.add_argument("--minutes", type=float, default=60, help="dashboard-picture: the span up to now")
    parser.add_argument("--again", action="store_true", help="reboot-check: a new marker, though there is a result")
    parser.add_argument("--send", action="store_true", help="report: post the short form to Discord")
    parser.add_argument("--stale", action="store_true", help="retire-contextforge: remove stale networks as well")
    parser.add_argument("--yes", action="store_true", help="go on without a question")
    return parser


def _stack_name(text: str) -> str:
    """The engine's own rule; a name is also a folder of `.state/`."""
    if text == "fleet":
        raise argparse.ArgumentTypeError("'fleet' is no stack: Pulumi.fleet.yaml has the values that all stacks share")
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a stack: letters, digits, '-', '_' and '.'")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of hosts: 1 or more")
    return int(text)


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
