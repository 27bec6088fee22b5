"""Claude's files edited as text: the counterparts come in beside what they copy, and out again without a trace."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hostctl.claude_permissions import front_matter, settings_text
from hostctl.claude_permissions.rules import Names
from hostctl.core.errors import Refusal

TOOLS = {"sqlite-list-tables": "list_tables", "sqlite-write-query": "write_query", "exa-search": "search"}
NAMES = Names((("contextforge", "sentinel"),), TOOLS)
OLD, NEW = "mcp__contextforge", "mcp__sentinel"

RULES = st.one_of(
    st.sampled_from(
        [OLD, f"{OLD}__*", f"{OLD}__sqlite-*", "mcp__*__exa-search", "Bash(ls:*)", NEW, f"{NEW}__search", "ä\u2028"]
    ),
    st.sampled_from([f"{OLD}__{tool}" for tool in TOOLS]),
    st.text(max_size=5),
)
LISTS = st.lists(st.one_of(RULES, st.integers(), st.none()), max_size=5)
HOOKS = st.lists(
    st.fixed_dictionaries({"hooks": st.just([{"type": "command", "command": "x"}])}, optional={"matcher": RULES}),
    max_size=3,
)
ENTRIES = st.lists(st.sampled_from(["contextforge", "sentinel", "notes"]), max_size=3)


@st.composite
def texts(draw: Any) -> str:
    """A settings file, or Claude's own, in any layout."""
    known: dict[str, Any] = {
        "permissions": draw(
            st.one_of(st.none(), st.fixed_dictionaries({}, optional={"deny": LISTS, "ask": LISTS, "allow": LISTS}))
        ),
        "hooks": {"PreToolUse": draw(HOOKS), "Stop": draw(st.one_of(HOOKS, st.none()))},
        "projects": {"/p": {"allowedTools": draw(LISTS), "disabledMcpServers": draw(ENTRIES)}},
        "other": draw(st.recursive(RULES, lambda inner: st.lists(inner, max_size=2), max_leaves=4)),
    }
    order = draw(st.permutations(list(known)))
    text = json.dumps(
        {key: known[key] for key in order},
        indent=draw(st.sampled_from([None, 0, 2, "\t"])),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([None, (",", ":"), (" , ", " : ")])),
    )
    text = text.encode("utf-8", "replace").decode()
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))) + draw(st.sampled_from(["", "\n"]))


def flat(document: Any) -> list[str]:
    """Every element of every list, as JSON."""
    within: list[Any] = []
    if isinstance(document, dict):
        within = list(cast("dict[str, Any]", document).values())
        return [one for value in within for one in flat(value)]
    if isinstance(document, list):
        within = cast("list[Any]", document)
    return [one for item in within for one in [json.dumps(item), *flat(item)]]


@settings(deadline=None, max_examples=200)
@example(text='{"permissions":{"deny":["mcp__contextforge"]}}')
@example(text='{"permissions": {"deny": [\n "mcp__contextforge__sqlite-*"\n]}}')
@given(text=texts())
def test_adding_twice_is_adding_once_and_taking_out_leaves_the_identical_bytes(text: str) -> None:
    edited = settings_text.added(text, NAMES, "f")
    again = settings_text.added(edited.text, NAMES, "f")
    assert (again.text, again.edits) == (edited.text, [])
    assert settings_text.removed(edited.text, edited.edits, "f") == text
    if not edited.edits:
        assert edited.text == text


@settings(deadline=None, max_examples=100)
@given(text=texts(), unit=st.sampled_from([None, 4]))
def test_only_elements_are_added_and_they_come_out_of_a_file_that_claude_has_written_anew(
    text: str, unit: int | None
) -> None:
    edited = settings_text.added(text, NAMES, "f")
    before, after = flat(json.loads(text)), flat(json.loads(edited.text))
    for one in before:
        after.remove(one)
    assert len(after) >= len(edited.edits) and all("sentinel" in one for one in after if "command" not in one)
    rewritten = json.dumps(json.loads(edited.text), indent=unit, ensure_ascii=False)
    assert json.loads(settings_text.removed(rewritten, edited.edits, "f")) == json.loads(text)


def test_every_place_of_a_rule_gets_its_counterpart_right_behind_it() -> None:
    document: dict[str, Any] = {
        "permissions": {"allow": ["Read", f"{OLD}__exa-search", "Edit"], "deny": [f"{OLD}__sqlite-write-query"]},
        "hooks": {"PreToolUse": [{"matcher": f"{OLD}__.*", "hooks": [{"type": "command", "command": "guard"}]}]},
        "projects": {"/p": {"allowedTools": [OLD], "disabledMcpServers": ["contextforge"]}},
        "env": {"RULE": f"{OLD}__exa-search"},
    }
    edited = settings_text.added(json.dumps(document, indent=2), NAMES, "f")
    after = json.loads(edited.text)
    assert after["permissions"] == {
        "allow": ["Read", f"{OLD}__exa-search", f"{NEW}__search", "Edit"],
        "deny": [f"{OLD}__sqlite-write-query", f"{NEW}__write_query"],
    }
    assert [one["matcher"] for one in after["hooks"]["PreToolUse"]] == [f"{OLD}__.*", f"^{NEW}__"]
    assert after["hooks"]["PreToolUse"][1]["hooks"] == document["hooks"]["PreToolUse"][0]["hooks"]
    assert after["projects"]["/p"] == {
        "allowedTools": [OLD, NEW],
        "disabledMcpServers": ["contextforge", "sentinel"],
    }
    assert after["env"] == document["env"]
    assert [edit["path"][-1] for edit in edited.edits][:3] == ["deny", "PreToolUse", "disabledMcpServers"]
    assert edited.closing == 3


def test_what_has_no_counterpart_is_listed_with_its_place() -> None:
    document: dict[str, Any] = {
        "permissions": {"deny": [f"{OLD}__gone"]},
        "hooks": {"PreToolUse": [{"matcher": f"{OLD}__(", "hooks": []}]},
    }
    edited = settings_text.added(json.dumps(document), NAMES, "/s.json")
    assert edited.edits == []
    assert edited.unmapped == [
        f"{OLD}__gone in permissions.deny of /s.json",
        f"{OLD}__( in hooks.PreToolUse of /s.json",
    ]


def test_a_list_that_is_there_twice_is_listed_and_a_broken_file_refused() -> None:
    twice = f'{{"permissions": {{"deny": [], "deny": ["{OLD}"]}}}}'
    edited = settings_text.added(twice, NAMES, "/s.json")
    assert (edited.text, edited.unmapped) == (twice, ["'deny' occurs twice in /s.json: remove one"])
    with pytest.raises(Refusal, match="broken JSON"):
        settings_text.added("{", NAMES, "/s.json")


AGENT = """---
name: reader
tools: Read, mcp__contextforge__sqlite-list-tables, Grep
disallowedTools: ["mcp__contextforge__sqlite-write-query"]
allowed-tools:
  - "mcp__contextforge__exa-search"
  - Bash(ls:*)
description: tools of mcp__contextforge__exa-search
---
Use mcp__contextforge__exa-search.
tools: mcp__contextforge__exa-search
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_lists_of_a_front_matter_are_extended_and_nothing_else_is(newline: str) -> None:
    text = AGENT.replace("\n", newline)
    edited = front_matter.added(text, NAMES, "/a.md")
    expected = (
        AGENT.replace("list-tables, Grep", "list-tables, mcp__sentinel__list_tables, Grep")
        .replace('write-query"]', 'write-query", "mcp__sentinel__write_query"]')
        .replace('exa-search"\n', 'exa-search"\n  - "mcp__sentinel__search"\n', 1)
    )
    assert edited.text == expected.replace("\n", newline)
    assert edited.closing == 1
    assert front_matter.added(edited.text, NAMES, "/a.md").edits == []
    assert front_matter.removed(edited.text, edited.edits) == text
    assert front_matter.removed(edited.text + "more", edited.edits) == text + "more"


def test_a_list_with_spaces_alone_stays_one_and_a_text_without_front_matter_is_left() -> None:
    spaced = "---\nallowed-tools: Read mcp__contextforge__exa-search\n---\n"
    assert "exa-search mcp__sentinel__search\n" in front_matter.added(spaced, NAMES, "/c.md").text
    plain = "tools: mcp__contextforge__exa-search\n"
    assert front_matter.added(plain, NAMES, "/c.md").text == plain


TOKENS = st.sampled_from(
    ["Read", f"{OLD}__exa-search", f"'{OLD}__sqlite-*'", f'"{OLD}"', f"{NEW}__search", f"{OLD}__gone", "Bash(a, b)"]
)
LINES = st.one_of(
    st.tuples(
        st.sampled_from(["tools: ", "disallowedTools: ", "allowed-tools: ", "name: "]),
        st.lists(TOKENS, max_size=4).map(", ".join),
    ).map("".join),
    TOKENS.map("  - {}".format),
    st.text("ab:- #", max_size=8),
)


@settings(deadline=None, max_examples=200)
@given(lines=st.lists(LINES, max_size=6), newline=st.sampled_from(["\n", "\r\n"]), body=st.text(max_size=10))
def test_any_front_matter_comes_back(lines: list[str], newline: str, body: str) -> None:
    text = newline.join(["---", *lines, "---", body])
    edited = front_matter.added(text, NAMES, "/a.md")
    assert front_matter.removed(edited.text, edited.edits) == text
    again = front_matter.added(edited.text, NAMES, "/a.md")
    assert (again.text, again.edits) == (edited.text, [])
