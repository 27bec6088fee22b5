"""tests/README.md: its tiers are the folders of tests, and its fixtures and variables exist."""

from __future__ import annotations

import re
import subprocess

from console.paths import ROOT
from tests import side_by_side

TEXT = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
FIXTURES = [
    (name, file)
    for names, file in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| `(tests/[\w/]+\.py)` \|", TEXT, re.MULTILINE)
    for name in re.findall(r"`(\w+)`", names)
]


def test_every_folder_of_tests_is_a_tier() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `tests/(\w+)` \|", TEXT, re.MULTILINE)) == folders - {"testdata"}


def test_every_fixture_is_defined_where_it_says() -> None:
    assert len(FIXTURES) > 10
    missing = [
        (name, file)
        for name, file in FIXTURES
        if not re.search(rf"@pytest\.fixture.*\ndef {name}\(", (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert missing == []


def test_every_variable_is_read_somewhere() -> None:
    for name in re.findall(r"`([A-Z_]{4,})(?:=[^`]*)?`", TEXT):
        used = subprocess.run(["git", "grep", "-q", name, "--", "*.py", "Makefile"], cwd=ROOT, check=False)
        assert used.returncode == 0, name


def test_only_stories_act_on_the_box_of_this_clone() -> None:
    """Everything else runs beside them, on a box of its own."""
    found = subprocess.run(
        ["git", "grep", "-l", "-w", "lab_box", "--", "tests"], cwd=ROOT, capture_output=True, text=True
    )
    users = set(found.stdout.split()) - {"tests/README.md", "tests/conftest.py", "tests/docs/test_tiers.py"}
    assert users and all(side_by_side.is_story(file) for file in users), users


def test_every_story_that_comes_last_is_a_folder() -> None:
    assert [story for story in side_by_side.LAST if not (ROOT / "tests" / "lab" / story).is_dir()] == []
