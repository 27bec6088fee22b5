"""The tables about the stdio servers, from findings as the lab gives them."""

from __future__ import annotations

from typing import Any

from lab.benchmarks.pages import render

SERVERS: dict[str, Any] = {
    "inside": {
        "exa": {"user": 10103, "variables": ["HOME", "PATH"], "opened": [], "files": ["/usr/bin/node", "pipe"]},
    },
    "deaths": {
        "rounds": 10,
        "lost": 10,
        "next_ms": {"median": 812.4, "longest": 1290.0},
        "others": {"calls": 300, "failed": 0, "longest_ms": 21.6},
    },
}


def shown(block: str) -> list[str]:
    return render(f"<!-- measured:{block} -->\n<!-- end -->", {"servers": SERVERS}).splitlines()[3:-1]


def test_each_server_has_a_row_with_all_that_it_can_see() -> None:
    assert shown("servers_inside") == ["| `exa` | 10103 | `HOME`, `PATH` | none | `/usr/bin/node`, `pipe` |"]


def test_the_calls_that_died_stand_beside_those_of_others() -> None:
    assert [row.split(" | ")[1].removesuffix(" |") for row in shown("server_deaths")] == [
        "10 times", "10", "812 ms", "1290 ms", "300, 0 of them failed", "22 ms",
    ]  # fmt: skip
