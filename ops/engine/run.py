"""The engine by Pulumi's Automation API, over the repository's own program.

Deliberately does not: show a secret; secret outputs stay out of results.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from pulumi import automation
from pulumi.automation import errors
from pulumi.automation.events import EngineEvent
from semver import VersionInfo

from console.errors import UserError
from console.paths import ROOT
from console.progress import Progress
from ops.engine import ended_runs, environment, locks, shared_settings
from ops.engine.changes import counts

PROJECT = "sentinel-cutover"
ENGINE_MISSING = "Pulumi's engine is not installed yet: run `make up`, which provides it, or `make doctor` to see why."

EVENTS_BY_FILE = VersionInfo(3, 205, 0)
"""The newest version of which the SDK reads the engine's events from a file. Of newer ones it takes them over a port of
its own loopback address, where an engine in another network namespace finds nobody (pulumi/automation/_stack.py)."""

STATE_NOT_SAVED = "failed to save snapshot"
BACKEND_LOST = (
    "the state could not be written, and the port stays with whoever serves (`make status`): run the command again "
    "once the backend takes it, which then does again what was not recorded. The engine's words: "
)

_COMMAND_FAILED = re.compile(r'(exit status|exited with status) \d+: running ".*":$')


class EngineFailed(UserError):
    """The engine ended with an error; its diagnostics have been shown already."""


class LockHeld(EngineFailed):
    """Another run is at work on the stack; the sentence names who, and since when."""


class OrderlyCommand(automation.PulumiCommand):
    """Runs the engine in a session of its own, so that Ctrl-C reaches it once and it can finish what it is doing.

    A second Ctrl-C reaches it as a second one: it then stops at once, and the state may need `pulumi refresh`.
    """

    def __init__(self, variables: Mapping[str, str], progress: Progress) -> None:
        self.command = "pulumi"
        self.version = EVENTS_BY_FILE
        self._variables = dict(variables)
        self._progress = progress

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> automation.CommandResult:
        began = time.time()
        try:
            engine = subprocess.Popen(
                [self.command, "--non-interactive", *args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env={**self._variables, **additional_env, "PULUMI_AUTOMATION_API": "true"},
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except FileNotFoundError:
            raise UserError(ENGINE_MISSING) from None
        assert engine.stdout and engine.stderr
        out, err = _Reader(engine.stdout, on_output), _Reader(engine.stderr, on_error)
        try:
            self._wait(engine)
        finally:
            if args[0] in ended_runs.LOCKING:
                ended_runs.note(engine.pid, began)
        result = automation.CommandResult(out.text(), err.text(), engine.returncode)
        if result.code:
            raise errors.create_command_error(result)
        return result

    def _wait(self, engine: subprocess.Popen[str]) -> None:
        interrupted = 0
        while True:
            try:
                engine.wait()
                break
            except KeyboardInterrupt:
                interrupted += 1
                engine.send_signal(signal.SIGINT)
                if interrupted == 1:
                    self._progress.line(
                        "The engine finishes its current step, then stops; press Ctrl-C again to end it now."
                    )
        if interrupted:
            raise KeyboardInterrupt


class _Reader(threading.Thread):
    """Reads one stream of the engine to its end."""

    def __init__(self, stream: IO[str], on_line: Callable[[str], Any] | None) -> None:
        super().__init__(daemon=True)
        self._stream, self._on_line = stream, on_line
        self._lines: list[str] = []
        self.start()

    def run(self) -> None:
        for line in self._stream:
            self._lines.append(line.rstrip("\n"))
            if self._on_line:
                self._on_line(self._lines[-1])
        self._stream.close()

    def text(self) -> str:
        self.join()
        return "\n".join(self._lines)


def open_stack(stack: str, progress: Progress, *, create: bool = True) -> automation.Stack:
    """The stack in the repository's own workspace; with `create` it is made where it does not exist yet."""
    if not create:
        environment.require_state(stack)
    variables = environment.complete(stack)
    os.environ["PATH"] = variables["PATH"]
    options = automation.LocalWorkspaceOptions(
        env_vars=environment.variables(stack), pulumi_command=OrderlyCommand(variables, progress)
    )
    shared_settings.apply(ROOT)
    choose = automation.create_or_select_stack if create else automation.select_stack
    try:
        opened = choose(stack, work_dir=str(ROOT), opts=options)
        locks.note_machine(variables)
        return opened
    except errors.StackNotFoundError:
        raise UserError(f"There is no stack {stack} yet; `make up STACK={stack}` makes it.") from None
    except errors.CommandError as error:
        raise EngineFailed(f"The stack {stack} cannot be opened: {reason(str(error))}") from None


@contextmanager
def as_user_error(action: str) -> Generator[None]:
    """Turn the engine's errors into one sentence; its diagnostics were shown while it ran."""
    try:
        yield
    except errors.ConcurrentUpdateError as error:
        raise LockHeld(
            f"{action} did not start, because another run holds the stack's lock: wait for it, or run `pulumi cancel` "
            f"if it was killed ({reason(str(error))})"
        ) from None
    except errors.CommandError as error:
        why = reason(str(error))
        raise EngineFailed(f"{action} failed: {BACKEND_LOST if STATE_NOT_SAVED in why else ''}{why}") from None


def command(
    opened: automation.Stack,
    arguments: Sequence[str],
    on_output: Callable[[str], Any] | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The output of one command of the engine, which the Automation API follows by others; raises its errors."""
    workspace = opened.workspace
    own = {**variables, **workspace.env_vars}
    return workspace.pulumi_command.run([*arguments], workspace.work_dir, own, on_output).stdout


def preview(
    opened: automation.Stack, stack: str, progress: Progress, configuration: Path | None = None
) -> dict[str, int]:
    """The changes that `up` would make, shown and counted; `configuration` stands in for the stack's own file."""
    with as_user_error(f"pulumi preview of stack {stack}"):
        result = opened.preview(
            on_output=progress.line,
            color=color(),
            suppress_progress=True,
            diff=False,
            config_file=str(configuration) if configuration else None,
        )
    return counts(result.change_summary)


def update(opened: automation.Stack, stack: str, progress: Progress, *, refresh: bool) -> dict[str, int]:
    """The engine's update, shown; the steps that it made, counted.

    The Automation API's own would start the engine three times more, for outputs and history. Raises its errors.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "events"
        arguments = ["up", "--yes", "--skip-preview", "--stack", stack, "--color", color(), "--suppress-progress"]
        arguments += [*(["--refresh"] if refresh else []), "--exec-kind", "auto.local", "--event-log", str(log)]
        command(opened, arguments, progress.line, {"PULUMI_DEBUG_COMMANDS": "true"})
        events = map(json.loads, log.read_text(encoding="utf-8").splitlines())
        summaries = [event["summaryEvent"] for event in events if "summaryEvent" in event]
    return counts(summaries[0]["resourceChanges"]) if summaries else {}


def planned_steps(opened: automation.Stack, stack: str) -> list[tuple[str, str]]:
    """The urn and the kind of each step that a run would take now, in the engine's order."""
    steps: list[tuple[str, str]] = []

    def keep(event: EngineEvent) -> None:
        step = event.resource_pre_event.metadata if event.resource_pre_event else None
        if step:
            steps.append((step.urn, str(getattr(step.op, "value", step.op))))

    with as_user_error(f"pulumi preview of stack {stack}"):
        opened.preview(on_event=keep, suppress_progress=True)
    return steps


def color() -> str:
    """The engine's `--color`: always on a terminal, else never."""
    return "always" if sys.stderr.isatty() else "never"


def reason(text: str) -> str:
    """The first error that the engine names, without its decoration; the engine's own output has the full text."""
    # The progress above its diagnostics repeats the first line of each error without those that follow it.
    lines = [line.strip() for line in text.rpartition("\nDiagnostics:\n")[2].splitlines()]
    errors = [number for number, line in enumerate(lines) if re.search(r"(^|\s)error: ", line)]
    named = [_cause(re.sub(r"^.*?\berror: ", "", lines[number]), lines[number + 1 :]) for number in errors]
    useful = [line for line in named if not line.startswith(("update failed", "preview failed", "resource monitor"))]
    first = next(iter(useful or named), "it gave no reason; see its output above.")
    return first if first.endswith(".") else first + "."


def own_sentence(output: Sequence[str]) -> list[str]:
    """A verb's own sentence in its output, with the lines of a log that may follow; else the last line."""
    own = next((at for at, line in enumerate(output) if line.startswith("hostctl ")), len(output) - 1)
    return list(output[own:])


def _cause(error: str, following: Sequence[str]) -> str:
    """A failed command's error names the command; its reason is what it wrote, on the lines up to an empty one."""
    output = list(itertools.takewhile(bool, following))
    return own_sentence(output)[0] if _COMMAND_FAILED.search(error) and output else error
