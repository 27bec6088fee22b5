"""No figure is written by hand: the pages show what `docs/measured.json` holds, and that is what was taken."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from console.paths import ROOT
from lab.benchmarks import FIGURES, PAGES, outputs, render, suite
from lab.benchmarks.security import TABLES
from tests.lab.rollback.sums import Cut, Sums


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_figures_that_were_taken(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == render(text, json.loads(FIGURES.read_text(encoding="utf-8"))), "run python -m lab.benchmarks render"
    assert "measured:" in text


_FIGURE = re.compile(r"(?<![\w.:/-])\d[\d.,]*\s?(?:ms|s|[KMG]i?B|min|minutes|bytes)\b")
_WRITTEN = re.compile(r"<!-- measured:.*?<!-- end -->|```.*?```|`[^`\n]*`", re.DOTALL)
"""Blocks that a program fills, and code."""


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"], ids=lambda page: page.name
)
def test_no_time_and_no_size_is_written_by_hand(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if "<!-- Written by" not in text:
        assert _FIGURE.findall(_WRITTEN.sub("", text)) == []


def test_the_tables_of_security_show_what_was_seen_and_say_so_where_nothing_was_taken() -> None:
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


def test_an_output_is_shown_below_its_command_and_names_no_path_of_this_machine() -> None:
    home = Path("/home/somebody")
    recorded = "\n\x1b[1mState: /home/somebody/clone/.state\x1b[0m  \nstill /home/somebody, sentinel-vps-0a1b2c\n\n"
    output = outputs.scrubbed(recorded, home / "clone", home)
    shown = render("<!-- measured:output_up -->\n<!-- end -->\n", {"outputs": {"up": output}})
    assert "```console\n$ make up\nState: ./.state\nstill ~, sentinel-vps\n```\n" in shown


def test_an_output_that_was_not_recorded_says_which_command_records_it() -> None:
    shown = render("<!-- measured:output_status -->\n<!-- end -->\n", {})
    assert "Not taken yet: `python -m lab.benchmarks outputs` takes it." in shown


def test_each_tier_story_and_slow_test_or_fixture_shows_its_time() -> None:
    found = suite.cases("""<testsuites><testsuite>
        <testcase classname="tests.unit.ops.test_pin" name="a" time="0.4"/>
        <testcase classname="tests.lab.box.test_box.TestUp" name="b" time="95.0">
            <properties><property name="fixture host (tests/lab/box)" value="60.5"/></properties></testcase>
        <testcase classname="tests.lab.box.test_box" name="c" time="0"><skipped/></testcase>
    </testsuite></testsuites>""")
    tables = {"tiers": suite.tiers(found), "stories": suite.stories(found), "slowest": suite.slowest(found, 2)}
    blocks = "".join(f"<!-- measured:{name} -->\n<!-- end -->\n" for name in suite.TABLES)
    shown = render(blocks, {"tests": {"seconds": 3725.2, **tables}})
    assert "| `tests/lab/box` | 2 | 1 min 35 s |\n| `tests/unit/ops` | 1 | 0 s |" in shown
    assert "| 60 | `fixture host (tests/lab/box)` |\n| 34 | `tests/lab/box/test_box.py::b` |\n<!--" in shown
    assert "| `tests/lab` | 2 | 1 | 1 min 35 s |" in shown
    assert "| `tests/unit` | 1 | 0 | 0 s |" in shown
    assert "62 min 5 s" in shown


def test_a_soak_taken_in_parts_keeps_the_parts_that_were_not_run_again() -> None:
    first = Sums(kill_matrix={"the engine": Cut(3, 3, 3, 3)}, round_trips=[{"cutover": 180, "rollback": 240}])
    second = Sums(kill_matrix={"`hostctl`": Cut(2, 2)}, state_machine={"cutover": 4, "checked": 9})
    first.drill["state lost"] = {"status": "a | b", "commands": ["make adopt", "make status"], "seconds": 40}
    second.drill["disk full"] = {"status": "the disk", "commands": ["make up"], "seconds": 9}
    taken = second.into(first.into({"at": "2026-01-01"}))
    shown = render(
        "".join(
            f"<!-- measured:{name} -->\n<!-- end -->\n"
            for name in ("kill_matrix", "round_trips", "state_machine", "drill")
        ),
        taken,
    )
    assert "5 points, 5 converged, 3/3 always served." in shown
    assert "| `hostctl` | 2 | 2 |  |" in shown
    assert "| cutover | 180 |" in shown and "| checked | 9 |" in shown
    assert (
        "| disk full | the disk | `make up` | 9 |\n| state lost | a \\| b | `make adopt`<br>`make status` | 40 |"
        in shown
    )
    assert second.lines()[0] == "kill matrix: 2 points, 2 converged"
