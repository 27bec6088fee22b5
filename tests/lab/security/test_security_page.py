"""Attack: trust a page whose promises no test holds.

Defence: every claim of SECURITY.md names its test, and the test is there.
"""

from __future__ import annotations

import re

from console.paths import ROOT

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", PAGE)


def test_every_test_that_the_page_names_exists() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in NAMED
        if not (ROOT / file).exists() or f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_attack_of_the_table_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| attack", "| ---"))]
    assert len(rows) >= 12
    assert [row for row in rows if "`tests/" not in row.rsplit("|", 2)[1]] == []


def test_every_module_beside_this_one_names_its_attack_on_line_one() -> None:
    modules = sorted((ROOT / "tests" / "lab" / "security").glob("test_*.py"))
    assert modules
    assert [one.name for one in modules if not one.read_text(encoding="utf-8").startswith('"""Attack: ')] == []


def test_it_fits_on_a_page() -> None:
    assert len(PAGE.splitlines()) < 75
