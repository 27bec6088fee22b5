"""Promises of `command.local.Command` and `command.local.run`, and the traps of both."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contract_engine import Outcome, Resources, Stack, error_lines
from contract_subjects import NewStack, Plugins

SECRET = "a-secret-that-is-printed"


@dataclass(frozen=True)
class Life:
    stack: Stack
    folder: Path
    previewed: Outcome
    ran_in_preview: bool
    first: Outcome
    first_state: str
    unchanged: Outcome
    changed: Outcome
    failed: Outcome
    destroyed: Outcome

    def written(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture(scope="module")
def life(new_stack: NewStack, tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("commands")
    stack = new_stack()
    program = _program(folder)
    previewed = stack.preview(program)
    ran = (folder / "order").exists()
    first = stack.up(program)
    first_state = stack.state_text()
    unchanged = stack.preview()
    program = copy.deepcopy(program)
    program["texts"]["arguments"]["delete"] = "true"
    program["forgetful"]["arguments"]["environment"] = {"X": "2"}
    changed = stack.up(program)
    failing = program | {
        "failing": {"kind": "command.local.Command", "arguments": {"create": 'echo "why" >&2\nexit 3'}}
    }
    failed = stack.up(failing)
    return Life(stack, folder, previewed, ran, first, first_state, unchanged, changed, failed, stack.destroy())


def _program(folder: Path) -> Resources:
    def command(create: str, options: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        return {
            "kind": "command.local.Command",
            "arguments": {"create": create} | arguments,
            "options": options or {},
            "exported": ["stdout"],
        }

    hidden = {"secret": SECRET}
    ordered: dict[str, Any] = {"dir": str(folder), "delete": "echo -$NAME >> order"}
    return {
        "shown": command("cat", stdin=hidden),
        "hidden": command("cat", {"additional_secret_outputs": ["stdout"]}, stdin=hidden, logging="none"),
        "quiet": command("echo not-shown-out; echo shown-error >&2", logging="stderr"),
        "silent": command("echo never-shown; echo never-shown >&2", logging="none"),
        "texts": command("echo -n x >> texts; printf 'a\\n\\n'", dir=str(folder), delete="echo old"),
        "forgetful": command(
            "echo made", update="echo \"[$PULUMI_COMMAND_STDOUT]\"", add_previous_output_in_env=False,
            environment={"X": "1"},
        ),
        "first": command("echo +first >> order", environment={"NAME": "first"}, **ordered),
        "second": command(
            "echo +second >> order", {"depends_on": ["first"]}, environment={"NAME": "second"}, **ordered
        ),
        "invoked": {
            "kind": "command.local.run",
            "arguments": {"command": "echo $WHO; pwd", "environment": {"WHO": "invoked"}, "dir": str(folder)},
        },
        "leaving": command(
            "mkdir -p made/deep; echo 1 > made/one.txt; echo 2 > made/deep/two.txt", dir=str(folder),
            asset_paths=["made/*.txt"],
        ),
    }  # fmt: skip


def test_a_preview_runs_no_command_and_knows_no_output(life: Life) -> None:
    assert life.previewed.status == 0, life.previewed.text
    assert not life.ran_in_preview


def test_an_unchanged_program_shows_no_difference(life: Life) -> None:
    assert life.first.status == 0, life.first.text
    assert life.unchanged.operations == []


def test_stdout_of_a_command_with_a_secret_stdin_stands_in_clear(life: Life) -> None:
    """The trap: in state, in the stack's outputs and in the progress display."""
    assert life.first.resources["shown"]["outputs"]["stdout"] == SECRET
    assert life.first.outputs["shown.stdout"] == SECRET
    assert SECRET in life.first.text
    assert SECRET not in str(life.first.resources["shown"]["outputs"]["stdin"])


def test_additional_secret_outputs_keep_stdout_secret(life: Life) -> None:
    outputs = life.first.resources["hidden"]["outputs"]
    assert "ciphertext" in outputs["stdout"]
    assert "ciphertext" in outputs["stdin"]


def test_logging_decides_what_is_echoed_but_not_what_is_kept(life: Life) -> None:
    assert "shown-error" in life.first.text
    assert life.first.resources["quiet"]["outputs"]["stdout"] == "not-shown-out"
    assert (
        life.first.resources["silent"]["outputs"] | {"stdout": "never-shown", "stderr": "never-shown"}
        == (life.first.resources["silent"]["outputs"])
    )
    diagnostics = life.first.text.split("Diagnostics:")[-1].split("Outputs:")[0]
    assert "not-shown-out" not in diagnostics
    assert "never-shown" not in diagnostics


def test_only_the_final_newline_of_stdout_is_removed(life: Life) -> None:
    assert life.first.resources["texts"]["outputs"]["stdout"] == "a\n"


def test_changing_only_the_text_of_delete_runs_create_again(life: Life) -> None:
    assert ("update", "texts") in life.changed.changed()
    assert life.changed.operation("texts").detailed == {"delete": "update"}
    assert life.written("texts") == "xx"


def test_the_previous_output_can_be_kept_out_of_the_environment(life: Life) -> None:
    assert life.changed.resources["forgetful"]["outputs"]["stdout"] == "[]"


def test_a_failing_command_fails_the_run_shows_its_output_and_is_not_in_state(life: Life) -> None:
    assert life.failed.status != 0
    assert error_lines(life.failed.text) == [r'exit status 3: running "echo \"why\" >&2\nexit 3":', "why"]
    assert "failing" not in life.failed.resources


def test_destroying_runs_delete_in_the_reverse_order_of_dependencies(life: Life) -> None:
    assert life.destroyed.status == 0, life.destroyed.text
    assert life.written("order").split() == ["+first", "+second", "-second", "-first"]


def test_an_invoked_command_gives_its_output_to_the_program(life: Life) -> None:
    assert life.first.outputs["invoked"] == f"invoked\n{life.folder}"


def test_assets_are_the_files_that_match(life: Life) -> None:
    assert list(life.first.resources["leaving"]["outputs"]["assets"]) == ["made/one.txt"]


def test_a_cancelled_run_ends_its_command(new_stack: NewStack, plugins: Plugins, tmp_path: Path) -> None:
    """The engine is interrupted while a command runs; the command's whole group is gone afterwards."""
    if not plugins.doubles:
        pytest.skip("the published command plugin lets a command run to its end")
    stack = new_stack()
    pipe = tmp_path / "started"
    os.mkfifo(pipe)
    stack.write({"long": {"kind": "command.local.Command", "arguments": {"create": f"echo $$ > {pipe}; sleep 300"}}})
    engine = stack.start("up", "--yes", "--skip-preview", "--non-interactive")
    child = int(pipe.read_text())
    engine.send_signal(signal.SIGINT)
    # The first interrupt lets running steps end; the second cancels them.
    engine.send_signal(signal.SIGINT)
    try:
        engine.wait(30)
    except subprocess.TimeoutExpired:
        engine.kill()
        raise
    assert not Path(f"/proc/{child}").exists()
