"""No figure is written by hand: the pages show what `docs/measured.json` holds, and that is what was taken."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lab.measure import FIGURES, PAGES, render
from ops.paths import ROOT


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_figures_that_were_taken(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == render(text, json.loads(FIGURES.read_text(encoding="utf-8"))), "run python -m lab.measure render"
    assert "measured:" in text


def test_every_make_command_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named <= targets, f"the README names {sorted(named - targets)}, which make does not know"


def test_every_page_that_the_readme_names_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
