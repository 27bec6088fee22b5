"""Each of the predecessor's names of a tool means one tool of the gateway's, or none."""

from __future__ import annotations

import pytest

from bridge.tool_names import LastMatch, matched
from verify.names import offered_name

TOOLS = {
    "sqlite": ["list_tables", "read_query"],
    "sequential-thinking": ["sequentialthinking"],
    "Café's n8n": ["Get.Workflow"],
}


@pytest.mark.parametrize(
    ("backend", "tool"), [("sqlite", "list_tables"), ("sequential-thinking", "sequentialthinking"), ("n8n", "Get.It")]
)
def test_a_name_that_contextforge_makes_means_its_tool(backend: str, tool: str) -> None:
    name = offered_name("contextforge", backend, tool)
    assert matched([name], {**TOOLS, "n8n": ["Get.It"]}).own == {name: tool}


def test_a_name_of_no_backends_tool_means_nothing() -> None:
    found = matched(["weather-forecast", "sqlite-drop-table", "list_tables"], TOOLS)
    assert (dict(found.own), dict(found.shared)) == ({}, {})


def test_a_name_that_two_tools_would_have_is_offered_for_neither() -> None:
    tools = {"a": ["b-c"], "a-b": ["c", "d"]}
    found = matched(["a-b-c", "a-b-d"], tools)
    assert (found.own, found.shared) == ({"a-b-d": "d"}, {"a-b-c": ["b-c", "c"]})
    assert [tool["name"] for tool in found.offered([{"name": "b-c"}, {"name": "c"}, {"name": "d"}])] == [
        "a-b-d",
        "b-c",
        "c",
    ]


def test_two_names_of_one_spelling_are_offered_for_neither_of_their_tools() -> None:
    found = matched(["a-b-c", "a-b_c"], {"a": ["b_c"]})
    assert (dict(found.own), found.shared) == ({}, {"a-b-c": ["b_c"], "a-b_c": ["b_c"]})


def test_a_name_that_is_another_tools_own_is_no_longer_offered_to_the_predecessors_clients() -> None:
    found = matched(["a-b"], {"a": ["b"], "other": ["a-b"]})
    assert (dict(found.own), found.shared) == ({}, {"a-b": ["a-b", "b"]})
    assert [tool["name"] for tool in found.offered([{"name": "a-b"}, {"name": "b"}])] == ["b"]


def test_a_tool_that_the_predecessor_did_not_have_keeps_its_own_name() -> None:
    found = matched(["sqlite-list-tables"], TOOLS)
    offered = found.offered([{"name": "list_tables", "title": "T"}, {"name": "read_query"}])
    assert offered == [{"name": "read_query"}, {"name": "sqlite-list-tables", "title": "T"}]


def test_a_kept_match_follows_the_names_and_the_tools() -> None:
    match, tools = LastMatch(), {"sqlite": ["list_tables"]}
    assert match.matched(["sqlite-list-tables"], tools).own == {"sqlite-list-tables": "list_tables"}
    tools["sqlite"].append("list-tables")
    assert set(match.matched(["sqlite-list-tables"], tools).shared) == {"sqlite-list-tables"}
    assert not match.matched([], tools).shared
