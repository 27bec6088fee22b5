"""Every page: its commands are targets of make, and its links lead to a file and a heading."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from console.paths import ROOT

PAGES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    if name and (ROOT / name).is_file()
]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
COMMAND = re.compile(r"(?:`|^ *)make ([a-z][a-z-]*)", re.MULTILINE)
FOLDERS = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"docs"}
PLACE = re.compile(rf"`((?:{'|'.join(sorted(FOLDERS))})/[\w./-]+)(?:::\w+)?`")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([\w-]+))?\)")


def anchors(page: Path) -> set[str]:
    """The headings as GitHub links them: lower case, hyphens for blanks, no other signs."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EACH_PAGE
def test_every_command_is_a_target_of_make(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(COMMAND.findall(page.read_text(encoding="utf-8"))) <= targets


@EACH_PAGE
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken: list[str] = []
    for file, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        if not file.startswith("http") and not (target.exists() and (not anchor or anchor in anchors(target))):
            broken.append(f"{file}#{anchor}")
    assert broken == []


@EACH_PAGE
def test_every_file_that_it_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    created = re.findall(r"\*\*A new file `([^`]+)`", text)
    assert [place for place in PLACE.findall(text) if place not in created and not (ROOT / place).exists()] == []


@EACH_PAGE
def test_every_setting_that_it_names_exists(page: Path) -> None:
    keys = set(
        re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    sections = {key.partition(".")[0] for key in keys if "." in key}
    named = re.findall(r"`([a-z_0-9]+)\.(?!json`)([a-z_.]+)[`: ]", page.read_text(encoding="utf-8"))
    assert [f"{one}.{key}" for one, key in named if one in sections and f"{one}.{key}" not in keys] == []


def test_the_readme_names_every_page_of_the_documentation() -> None:
    named = {file for file, _ in LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= named
