"""`ops/__main__.py` is one table: each command has a file and a function of its name that takes just these options."""

from __future__ import annotations

import inspect
import re

import pytest

from console.paths import ROOT
from ops.__main__ import COMMANDS, OF_A_FLEET, function_of


@pytest.mark.parametrize("command", COMMANDS)
def test_each_commands_function_takes_the_options_of_the_table(command: str) -> None:
    parameters = inspect.signature(function_of(command)).parameters.values()
    subject = "stacks" if command.startswith(OF_A_FLEET) else "stack"
    assert [one.name for one in parameters if one.kind is not one.KEYWORD_ONLY][:2] == [subject, "progress"]
    assert tuple(one.name for one in parameters if one.kind is one.KEYWORD_ONLY) == COMMANDS[command]


def test_every_file_of_commands_is_in_the_table_and_every_command_is_behind_a_target() -> None:
    files = {path.stem.replace("_", "-") for path in (ROOT / "ops" / "commands").glob("[a-z]*.py")}
    assert files == set(COMMANDS)
    assert set(re.findall(r"\$\(OPS\) ([a-z-]+) ", (ROOT / "Makefile").read_text())) == set(COMMANDS)


def test_no_command_imports_anothers_internals() -> None:
    for path in (ROOT / "ops" / "commands").glob("*.py"):
        imported = re.findall(r"from ops\.commands\.(\w+) import (\w+)", path.read_text())
        assert all(module == name for module, name in imported), path.name
        assert "from ops.commands import" not in path.read_text(), path.name
