"""CONTRIBUTING.md: each recipe does what it says, step by step in a copy of the repository, and its checks pass."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.paths import ROOT
from tests import checkout_copy

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = r"\n\n```\w+\n(.*?)```"
STEP = re.compile(
    rf"\*\*A new file `(?P<new>[^`]+)`\*\*{BLOCK}"
    rf"|\*\*In `(?P<old>[^`]+)`, (?P<how>after|instead of)\*\*{BLOCK}\n\n\*\*(?:add|write)\*\*{BLOCK}",
    re.DOTALL,
)
CHECKS = re.compile(rf"\*\*Check\*\*{BLOCK}", re.DOTALL)
SECTION = re.compile(r"^## ((?:Add|Change) .+?)\n(.*?)(?=^## (?:Add|Change|Before) )", re.DOTALL | re.MULTILINE)
RECIPES = dict(SECTION.findall(TEXT))
PYTHON = ".venv/bin/python"


@dataclass(frozen=True)
class Step:
    """One change of one file; `before` is empty for a new file."""

    file: str
    how: str
    before: str
    after: str


def steps(section: str) -> list[Step]:
    found: list[Step] = []
    for one in STEP.finditer(section):
        groups = one.groups()
        if one["new"]:
            found.append(Step(one["new"], "new", "", groups[1]))
        else:
            found.append(Step(one["old"], one["how"], groups[4], groups[5]))
    return found


def commands(section: str) -> list[list[str]]:
    return [shlex.split(line) for block in CHECKS.findall(section) for line in block.splitlines()]


def apply(step: Step, root: Path) -> None:
    path = root / step.file
    if step.how == "new":
        assert not path.exists(), f"{step.file} exists already"
        path.write_text(step.after, encoding="utf-8")
        return
    text = f"\n{path.read_text(encoding='utf-8')}"
    # Whole lines, and one place only: a reader must find it.
    assert text.count(f"\n{step.before}") == 1, f"{step.file} does not have these lines once:\n{step.before}"
    written = f"\n{step.before}{step.after}" if step.how == "after" else f"\n{step.after}"
    path.write_text(text.replace(f"\n{step.before}", written)[1:], encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the files that git tracks or would track, with this repository's environment."""
    checkout_copy.made(tmp_path)
    # A test of the copy lists its files by git.
    for argv in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *argv], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.timeout(600)
@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_does_what_it_says(title: str, copy: Path) -> None:
    section = RECIPES[title]
    assert steps(section) and commands(section)
    for step in steps(section):
        apply(step, copy)
    for argv in commands(section):
        assert argv[:2] == [PYTHON, "-m"], f"{title}: a check is a module of ours or a tool of .venv"
        done = subprocess.run([sys.executable, *argv[1:]], cwd=copy, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{shlex.join(argv)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


@pytest.mark.parametrize("title", RECIPES)
def test_every_test_that_a_recipe_touches_is_among_its_checks(title: str) -> None:
    named = " ".join(argument for argv in commands(RECIPES[title]) for argument in argv)
    for step in steps(RECIPES[title]):
        if step.file.startswith("tests/"):
            assert step.file in named, f"{title}: nothing runs {step.file}"


def test_every_promised_recipe_exists() -> None:
    assert set(RECIPES) == {
        "Change a component", "Add a backend", "Add a panel", "Add an alert", "Add a host verb", "Add a gate",
    }  # fmt: skip


def test_every_step_is_applied_by_the_test() -> None:
    """A step in another form would be skipped silently."""
    written = len(re.findall(r"^\*\*(?:In `|A new file `)", TEXT, re.MULTILINE))
    assert sum(len(steps(section)) for section in RECIPES.values()) == written
    assert len(re.findall(r"\*\*Check\*\*", TEXT)) == len(RECIPES)


def test_every_place_and_command_that_it_names_exists() -> None:
    for place in re.findall(r"`([a-z_.]+/[a-z_./]*)`", TEXT):
        created = {step.file for section in RECIPES.values() for step in steps(section) if step.how == "new"}
        assert place in created or (ROOT / place).exists(), place
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", TEXT)) <= targets
