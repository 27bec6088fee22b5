"""The comparison of the predecessor's tools with Sentinel's, over the renaming."""

from __future__ import annotations

from hostctl.mcp.probe import Probe
from verify.client import schema_hash
from verify.comparison import compared
from verify.documents import Baseline, BaselineResult, Tool


def backends(*disabled: str) -> list[Probe]:
    return [Probe(name=name, tool="x", disabled_tools=disabled) for name in ("sqlite", "n8n", "n8n-mcp")]


def baseline(**tools: str) -> Baseline:
    listed = tuple(Tool(name=name.replace("_", "-"), schema_hash=hashed) for name, hashed in sorted(tools.items()))
    seen = BaselineResult(name="sqlite", tool="sqlite-list-tables", result="ok", kind="text")
    return Baseline(entry="contextforge", transport="http", tools=listed, backends=(seen,))


def test_every_tool_under_its_new_name_is_no_difference() -> None:
    found = compared(baseline(sqlite_list_tables="1"), {"list_tables": "1"}, backends())
    assert (found.missing, found.changed, found.new, found.foreign) == ({}, [], [], [])
    assert found.renamed == {"sqlite-list-tables": "list_tables"}


def test_a_missing_tool_belongs_to_the_backend_with_the_longer_prefix() -> None:
    found = compared(baseline(n8n_mcp_run="1", n8n_list="1", sqlite_list_tables="1"), {"list_tables": "1"}, backends())
    assert found.missing == {"n8n": ["n8n-list"], "n8n-mcp": ["n8n-mcp-run"]}


def test_a_new_tool_and_another_schema_are_distinguished_from_a_missing_one() -> None:
    found = compared(baseline(sqlite_list_tables="1"), {"list_tables": "2", "append_insight": "1"}, backends())
    assert (found.missing, found.changed, found.new) == ({}, ["sqlite-list-tables"], ["append_insight"])


def test_a_tool_that_the_kill_switch_hides_is_reported_and_not_missing() -> None:
    found = compared(baseline(sqlite_write_query="1", n8n_run="1"), {}, backends("write_query"))
    assert (found.switched_off, found.missing) == (["sqlite-write-query"], {"n8n": ["n8n-run"]})


def test_a_disabled_tool_that_is_still_offered_is_compared() -> None:
    found = compared(baseline(sqlite_write_query="1"), {"write_query": "2"}, backends("write_query"))
    assert (found.switched_off, found.changed) == ([], ["sqlite-write-query"])


def test_a_tool_of_an_unknown_backend_is_foreign() -> None:
    assert compared(baseline(jira_search="1"), {}, backends()).foreign == ["jira-search"]


def test_two_spellings_of_one_schema_have_one_hash() -> None:
    plain = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]}
    spelled = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "additionalProperties": False,
        "required": ["b", "a"],
        "properties": {"a": {"description": "a text", "type": "string", "title": "A"}},
        "type": "object",
    }
    assert schema_hash(plain) == schema_hash(spelled)
    assert schema_hash(plain) != schema_hash({**plain, "required": ["a"]})
    assert schema_hash(plain) != schema_hash({**plain, "properties": {"a": {"type": "number"}}})
