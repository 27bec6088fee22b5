"""A rule's counterparts: the same tools under the new entry, never more of them, and of what is closed never fewer."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostctl.claude_permissions.rules import Names, of_entry, of_matcher, of_rule, prefix

TOOLS = {
    "sqlite-list-tables": "list_tables",
    "sqlite-write-query": "write_query",
    "context7-resolve-library-id": "resolve-library-id",
}
NAMES = Names((("contextforge", "sentinel"),), TOOLS)
OLD, NEW = "mcp__contextforge", "mcp__sentinel"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (OLD, [NEW]),
        (f"{OLD}__*", [f"{NEW}__*"]),
        (f"{OLD}__sqlite-list-tables", [f"{NEW}__list_tables"]),
        (f"{OLD}__sqlite-write-query(table:users)", [f"{NEW}__write_query(table:users)"]),
        (f"{OLD}__sqlite-*", [f"{NEW}__list_tables", f"{NEW}__write_query"]),
        (f"{OLD}__*query", [f"{NEW}__write_query"]),
        ("mcp__*__sqlite-write-query", [f"{NEW}__write_query"]),
        ("mcp__context*", [f"{NEW}__*"]),
        ("mcp__*", []),
        ("*", []),
        ("Bash(mcp__contextforge:*)", []),
        ("mcp__contextforge2__x", []),
        ("mcp__notes__contextforge", []),
    ],
)
def test_a_closing_rule_gets_its_counterparts(rule: str, expected: list[str]) -> None:
    assert list(of_rule(rule, NAMES).rules) == expected


def test_a_rule_that_allows_has_no_wildcard_in_an_entrys_name_so_that_none_is_made_of_it() -> None:
    assert of_rule("mcp__context*", NAMES, closing=False).rules == ()
    assert of_rule(f"{OLD}__sqlite-*", NAMES, closing=False).rules == (f"{NEW}__list_tables", f"{NEW}__write_query")


def test_a_tool_that_sentinel_does_not_have_is_listed() -> None:
    assert of_rule(f"{OLD}__sqlite-drop-table", NAMES).unmapped == (f"{OLD}__sqlite-drop-table",)
    assert of_rule(f"{OLD}__gone-*", NAMES).unmapped == (f"{OLD}__gone-*",)


def test_another_entry_that_keeps_its_name_gets_the_new_names_of_the_tools_alone() -> None:
    names = Names((("contextforge", "sentinel"), ("my gate.way", "my gate.way")), TOOLS)
    assert of_rule("mcp__my_gate_way__sqlite-list-tables", names).rules == ("mcp__my_gate_way__list_tables",)
    assert of_rule("mcp__my_gate_way", names).rules == ()
    assert of_entry("contextforge", names).rules == ("sentinel",)
    assert of_entry("my gate.way", names).rules == ()


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (f"{OLD}__.*", [f"^{NEW}__"]),
        (f"Edit|{OLD}__sqlite-write-query", [f"^{NEW}__(write_query)$"]),
        ("sqlite-(list|write)", [f"^{NEW}__(list_tables|write_query)$"]),
        ("mcp__.*", []),
        ("", []),
        ("*", []),
        ("Bash", []),
        ("Edit|Write", []),
        ("contextforge", []),
    ],
)
def test_a_hook_that_guards_a_tool_guards_it_under_its_new_name(matcher: str, expected: list[str]) -> None:
    assert list(of_matcher(matcher, NAMES).rules) == expected


def test_a_matcher_that_is_no_regular_expression_is_left_to_the_caller() -> None:
    with pytest.raises(re.error):
        of_matcher("(", NAMES)


TOOL_NAMES = st.text("abc-_", min_size=1, max_size=6)
PATTERNS = st.one_of(
    st.sampled_from([OLD, f"{OLD}__*", "mcp__*", "mcp__con*", "*"]),
    st.text("abc-_*", min_size=1, max_size=6).map(f"{OLD}__{{}}".format),
    st.tuples(st.text("contex*", max_size=6), st.text("abc*", min_size=1)).map("__".join).map("mcp__{}".format),
)


def closes(rules: list[str], tool: str) -> bool:
    """Claude's own reading of closing rules."""
    return any(
        tool == rule
        or ("*" in rule and re.fullmatch(".*".join(map(re.escape, rule.split("*"))), tool))
        or ("*" not in rule and rule.count("__") == 1 and tool.startswith(f"{rule}__"))
        for rule in rules
    )


@given(
    st.lists(PATTERNS, max_size=4),
    st.dictionaries(TOOL_NAMES, TOOL_NAMES, max_size=5).filter(lambda tools: len({*tools.values()}) == len(tools)),
)
def test_what_is_denied_stays_denied_under_every_new_name_and_nothing_else_becomes_so(
    rules: list[str], tools: dict[str, str]
) -> None:
    names = Names((("contextforge", "sentinel"),), tools)
    added = [counterpart for rule in rules for counterpart in of_rule(rule, names).rules]
    for former, new in tools.items():
        denied = closes(rules, prefix("contextforge") + former)
        assert closes([*rules, *added], prefix("sentinel") + new) >= denied
        if not denied:
            assert not closes(added, prefix("sentinel") + new)


@given(st.lists(PATTERNS, max_size=4), st.dictionaries(TOOL_NAMES, TOOL_NAMES, max_size=5))
def test_counterparts_have_no_counterparts(rules: list[str], tools: dict[str, str]) -> None:
    names = Names((("contextforge", "sentinel"),), tools)
    for rule in rules:
        for counterpart in of_rule(rule, names).rules:
            assert [one for one in of_rule(counterpart, names).rules if one not in of_rule(rule, names).rules] == []
