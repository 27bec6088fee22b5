"""`python -m ops COMMAND --stack STACK [--json] [--yes]`: what `make` calls.

Owns: arguments, stdout (a command's result, nothing else), exit status: 0 only when what was asked is true.
Deliberately does not: show a traceback for an error that a person can fix.
"""

from __future__ import annotations

import argparse
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
from ops.engine import environment
from toolchain import find

INTERRUPTED = 130
LINK = "docs/runbook.md#"


def main() -> int:
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, _as_interrupt)
    # uv, which the lock brings, is found where the machine has none.
    os.environ["PATH"] = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    progress = Progress(LOGS)
    try:
        result = COMMANDS[arguments.command](arguments, progress)
    except UserError as error:
        return _refused(_with_link(error, arguments.command), arguments)
    except OSError as error:
        # A full disk, or a file of another user; a program that is missing has had its own sentence before.
        where = f" at {error.filename}" if error.filename else ""
        fix = f"fix that, then run `make {arguments.command}` again."
        return _refused(f"{error.strerror or error}{where}: {fix}", arguments)
    except KeyboardInterrupt:
        progress.end_children()
        print(f"Interrupted; `make {arguments.command}` goes on from here.", file=sys.stderr)
        return INTERRUPTED
    text = json.dumps(result.document) if arguments.json else result.text
    if text:
        print(text)
    return 0 if result.ok else 1


def _refused(told: str, arguments: argparse.Namespace) -> int:
    if arguments.json:
        print(json.dumps({"ok": False, "error": told}))
    print(told, file=sys.stderr)
    return 1


def _with_link(error: UserError, command: str) -> str:
    """A run that failed links to its heading in the runbook, unless the step that failed has done so."""
    from ops.engine.run import EngineFailed

    told = str(error)
    return f"{told} (docs/runbook.md#make-{command})" if isinstance(error, EngineFailed) and LINK not in told else told


def _up(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands import deploy

    return deploy.up(arguments.stack, progress, yes=arguments.yes)


def _preview(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands import deploy

    return deploy.preview(arguments.stack, progress)


def _refresh(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands import deploy

    return deploy.refresh(arguments.stack, progress, yes=arguments.yes)


def _down(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands import deploy

    return deploy.down(arguments.stack, progress, yes=arguments.yes)


def _verify(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands import verify

    return verify.verify(arguments.stack, progress)


def _status(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.status import status

    return status(arguments.stack, progress)


def _history(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.history import history

    return history(arguments.stack, progress)


def _rollback(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.rollback import rollback

    return rollback(arguments.stack, progress, to=arguments.to, yes=arguments.yes)


def _report(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.report import report

    return report(arguments.stack, progress, send=arguments.send, yes=arguments.yes)


def _stop_predecessor(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.stop_predecessor import stop_predecessor

    return stop_predecessor(arguments.stack, progress, yes=arguments.yes)


def _retire(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.retire import retire

    return retire(arguments.stack, progress, stale=arguments.stale, yes=arguments.yes)


def _doctor(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.doctor import doctor

    return doctor(arguments.stack)


def _secrets(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.secrets import make_secrets
    from ops.engine import prerequisites
    from ops.engine.run import open_stack

    prerequisites.toolchain_only(progress)
    open_stack(arguments.stack, progress)
    report = make_secrets(arguments.stack, environment.complete(arguments.stack))
    return Result(report.document(), report.text(arguments.stack), ok=bool(report.document()["ok"]))


def _rotate(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.rotate import rotate

    return rotate(arguments.stack, arguments.secret, progress, yes=arguments.yes)


def _pin(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.pin import pin

    return pin(arguments.stack, progress)


def _env(arguments: argparse.Namespace, progress: Progress) -> Result:
    chosen = environment.variables(arguments.stack)
    if find.missing(find.programs()):
        progress.line("The engine is not there yet; `make up` provides it, then run this again.")
    return Result(chosen, "\n".join(environment.exports(chosen)))


def _ready(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.engine import prerequisites

    prerequisites.toolchain_and_images(arguments.stack, progress)
    return Result({"ok": True}, "")


def _alert_test(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.alert_drill import alert_drill

    return alert_drill(arguments.stack, progress)


def _dashboard_picture(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.dashboard_picture import picture

    return picture(arguments.stack, progress, minutes=arguments.minutes)


def _backup(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.backups import backup

    return backup(arguments.stack, progress)


def _restore_test(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.backups import restore_drill

    return restore_drill(arguments.stack, progress)


def _restore(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.backups import restore

    return restore(arguments.stack, arguments.from_, progress, yes=arguments.yes)


def _reboot_check(arguments: argparse.Namespace, progress: Progress) -> Result:
    from ops.commands.reboot_check import reboot_check

    return reboot_check(arguments.stack, progress, again=arguments.again)


COMMANDS: dict[str, Callable[[argparse.Namespace, Progress], Result]] = {
    "up": _up,
    "preview": _preview,
    "refresh": _refresh,
    "verify": _verify,
    "status": _status,
    "history": _history,
    "rollback": _rollback,
    "report": _report,
    "stop-predecessor": _stop_predecessor,
    "retire-contextforge": _retire,
    "secrets": _secrets,
    "rotate": _rotate,
    "pin": _pin,
    "alert-drill": _alert_test,
    "dashboard-picture": _dashboard_picture,
    "backup": _backup,
    "restore-drill": _restore_test,
    "restore": _restore,
    "reboot-check": _reboot_check,
    "doctor": _doctor,
    "env": _env,
    "ready": _ready,
    "down": _down,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops", description="The operator's commands; see `make help`.")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--stack", required=True, type=_stack_name)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--secret", default="", help="rotate: the secret's name")
    parser.add_argument("--to", type=int, help="rollback: the number of an update in the history")
    parser.add_argument("--from", dest="from_", default="", help="restore: a backup's name, or its path on the host")
    parser.add_argument("--minutes", type=float, default=60, help="dashboard-picture: how far back")
    parser.add_argument("--again", action="store_true", help="reboot-check: a new marker, though there is a result")
    parser.add_argument("--send", action="store_true", help="report: post the short form to Discord")
    parser.add_argument("--stale", action="store_true", help="retire-contextforge: remove stale networks as well")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _stack_name(text: str) -> str:
    """The engine's own rule; a name is also a folder of `.state/`."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a stack: letters, digits, '-', '_' and '.'")
    return text


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
