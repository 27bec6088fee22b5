"""No figure is written by hand: the pages show what `docs/measured.json` holds, and that is what was taken."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from console.paths import ROOT
from lab.benchmarks import FIGURES, PAGES, render
from lab.benchmarks.security import TABLES
from tests.lab.rollback.sums import Cut, Sums


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_figures_that_were_taken(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == render(text, json.loads(FIGURES.read_text(encoding="utf-8"))), "run python -m lab.benchmarks render"
    assert "measured:" in text


def test_every_make_command_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named <= targets, f"the README names {sorted(named - targets)}, which make does not know"


def test_every_page_that_the_readme_names_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_tables_of_security_show_what_was_seen_and_nothing_where_nothing_was_taken() -> None:
    seen = {
        "ports": {"before": {"203.0.113.10": {"open": [22], "silent": [5432]}}, "during": {"::1": {"open": [22]}}},
        "rounds": {"every": 3, "gateway": 70},
        "alone": {"no rule": {"203.0.113.10": {"open": [18080], "silent": []}}},
        "searched": {"stack export": 1234567},
        "secrets": ["jwt_secret", "the state's passphrase"],
        "process_readings": 99,
        "rotations": {
            "jwt_secret": {"reported_ms": 91.0, "seen_ms": 1204.4},
            "discord_webhook": {"reported_ms": 0, "seen_ms": 21},
        },
    }
    blocks = "".join(f"<!-- measured:{name} -->\n<!-- end -->\n" for name in TABLES)
    shown = render(blocks, {"security": seen})
    for line in (
        "| before | 203.0.113.10 | 22 | 5432 |",
        "| during | ::1 | 22 | not distinguished |",
        "| no rule | 203.0.113.10 | 18080 | none |",
        "| stack export | 1,234,567 |",
        "| `jwt_secret` | 91 ms | 1204 ms |",
        "| `discord_webhook` | the port is not touched | 21 ms |",
    ):
        assert line in shown
    assert "tried 3 times" in shown and "two 70 times" in shown and "`jwt_secret`, the state's passphrase" in shown
    assert render(blocks, {}).count("Not taken yet: `python -m lab.benchmarks security` takes it.") == len(TABLES)


def test_a_soak_taken_in_parts_keeps_the_parts_that_were_not_run_again() -> None:
    first = Sums(kill_matrix={"the engine": Cut(3, 3, 3, 3)}, round_trips=[{"cutover": 180, "rollback": 240}])
    second = Sums(kill_matrix={"`hostctl`": Cut(2, 2)}, state_machine={"cut over": 4, "checked": 9})
    taken = second.into(first.into({"at": "2026-01-01"}))
    shown = render(
        "".join(
            f"<!-- measured:{name} -->\n<!-- end -->\n" for name in ("kill_matrix", "round_trips", "state_machine")
        ),
        taken,
    )
    assert "5 points, 5 converged, 3/3 always served." in shown
    assert "| `hostctl` | 2 | 2 |  |" in shown
    assert "| cutover | 180 |" in shown and "| checked | 9 |" in shown
    assert second.lines()[0] == "kill matrix: 2 points, 2 converged"
