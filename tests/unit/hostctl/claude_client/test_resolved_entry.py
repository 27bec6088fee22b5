"""`claude show`: exactly the header that Claude would send, and one sentence where it could send none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hostctl import claude_client
from hostctl.claude_client import resolved_entry
from hostctl.claude_client.request import EntryRequest
from hostctl.core.errors import Refusal
from tests.unit.hostctl.claude_client.cases import document

HELPER = """#!/bin/sh
test "$CLAUDE_CODE_MCP_SERVER_URL" = http://127.0.0.1:9200/mcp || exit 3
printf '{"Authorization":"Bearer of-%s","X-User":"%s"}' "$CLAUDE_CODE_MCP_SERVER_NAME" "$(id -u)"
"""


def shown(home: Path, entry: dict[str, Any], **values: Any) -> dict[str, Any]:
    (home / ".claude.json").write_text(json.dumps({"mcpServers": {"sentinel": entry}}))
    return resolved_entry.show(EntryRequest(**document(home, **values)))


@pytest.fixture
def helper(tmp_path: Path) -> Path:
    path = tmp_path / "headers"
    path.write_text(HELPER)
    path.chmod(0o755)
    return path


def test_a_literal_header_comes_as_it_stands(tmp_path: Path) -> None:
    entry = {"type": "http", "url": "http://127.0.0.1:9200/mcp", "headers": {"Authorization": "Bearer literal"}}
    answer = shown(tmp_path, entry)
    assert (answer["transport"], answer["url"], answer["headers"]) == ("http", entry["url"], entry["headers"])
    assert (answer["before"], answer["unset"]) == ([], [])


def test_the_helper_is_run_with_claudes_two_variables(tmp_path: Path, helper: Path) -> None:
    answer = shown(tmp_path, {"type": "http", "url": "http://127.0.0.1:9200/mcp", "headersHelper": str(helper)})
    assert answer["headers"] == {"Authorization": "Bearer of-sentinel", "X-User": str(os.geteuid())}


@pytest.mark.skipif(os.getuid() != 0, reason="running a program as another user needs root")
def test_the_helper_runs_as_the_owner_of_claudes_file_since_root_may_read_what_claude_may_not(
    tmp_path: Path, helper: Path
) -> None:
    folder = tmp_path
    while folder != Path(folder.anchor) and not folder.stat().st_mode & 0o001:
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent
    (tmp_path / ".claude.json").touch()
    os.chown(tmp_path / ".claude.json", 10001, 10001)
    answer = shown(tmp_path, {"type": "http", "url": "http://127.0.0.1:9200/mcp", "headersHelper": str(helper)})
    assert answer["headers"]["X-User"] == "10001"


@pytest.mark.parametrize(
    ("program", "sentence"),
    [
        ("#!/bin/sh\necho the token file holds no token >&2; exit 1\n", "exit code 1 (the token file holds no token)"),
        ("#!/bin/sh\necho eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ4In0 >&2; exit 1\n", "(hidden])"),
        (
            "#!/bin/sh\necho 'cat: /tmp/sentinel-cutover-of-somebody/claude/token: Permission denied' >&2; exit 1\n",
            "cat: /tmp/sentinel-cutover-of-somebody/claude/token: Permission denied",
        ),
        ("#!/bin/sh\necho Bearer no-json\n", "did not print one JSON object of headers"),
        ("#!/bin/sh\necho '[1]'\n", "did not print one JSON object of headers"),
        (None, "failed with exit code 127"),
    ],
    ids=["fails", "masked", "a-path", "no-json", "no-object", "gone"],
)
def test_a_helper_that_gives_no_header_is_reported_as_that_and_not_as_a_refused_token(
    tmp_path: Path, helper: Path, program: str | None, sentence: str
) -> None:
    helper.unlink() if program is None else helper.write_text(program)
    with pytest.raises(Refusal) as refused:
        shown(tmp_path, {"type": "http", "url": "http://127.0.0.1:9200/mcp", "headersHelper": str(helper)})
    message = str(refused.value)
    assert message.startswith("Claude's program for the header of entry sentinel (")
    assert sentence.replace("(hidden])", "([hidden])") in message and "eyJ" not in message


def test_variables_expand_as_claude_expands_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "9200")
    monkeypatch.delenv("NOBODY", raising=False)
    answer = shown(
        tmp_path,
        {
            "type": "http",
            "url": "http://${GATEWAY_HOST:-127.0.0.1}:${GATEWAY_PORT}/mcp",
            "headers": {"Authorization": "Bearer ${NOBODY}"},
        },
    )
    assert answer["url"] == "http://127.0.0.1:9200/mcp"
    assert (answer["headers"]["Authorization"], answer["unset"]) == ("Bearer ${NOBODY}", ["NOBODY"])


def test_a_stdio_entry_comes_with_its_command(tmp_path: Path) -> None:
    answer = shown(tmp_path, {"command": "docker", "args": ["run", "-i", "wrapper"], "env": {"A": "b"}})
    assert (answer["transport"], answer["command"], answer["args"]) == ("stdio", "docker", ["run", "-i", "wrapper"])
    assert answer["env"] == {"A": "b"}


def test_after_the_record_the_predecessors_token_is_known_in_both_its_places(tmp_path: Path) -> None:
    theirs = {"type": "http", "url": "http://127.0.0.1:9200/mcp", "headers": {"Authorization": "Bearer in-the-entry"}}
    (tmp_path / ".claude.json").write_text(json.dumps({"mcpServers": {"contextforge": theirs}}))
    (tmp_path / ".mcp-token").write_text("in-the-file\n")
    claude_client.record(EntryRequest(**document(tmp_path)))
    (tmp_path / ".mcp-token").write_text("new\n")
    claude_client.apply(EntryRequest(**document(tmp_path)))
    answer = resolved_entry.show(EntryRequest(**document(tmp_path)))
    assert answer["before"] == ["Bearer in-the-entry", "Bearer in-the-file"]
    assert answer["headers"] == {"Authorization": "Bearer new"}


def test_where_both_entries_have_one_name_the_former_header_is_known_too(tmp_path: Path) -> None:
    former = {"type": "http", "url": "u", "headers": {"Authorization": "Bearer former"}}
    (tmp_path / ".claude.json").write_text(json.dumps({"mcpServers": {"sentinel": former}}))
    values = document(tmp_path, replaces="sentinel")
    claude_client.record(EntryRequest(**values))
    (tmp_path / ".mcp-token").write_text("new\n")
    claude_client.apply(EntryRequest(**values))
    assert resolved_entry.show(EntryRequest(**values))["before"] == ["Bearer former"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "does not exist: start Claude Code once, or correct client.file"),
        ("{", "is broken JSON: fix it, then run again; it was left as it is"),
        ("{}", "has no entry sentinel (it was lost or never existed)"),
        (
            '{"mcpServers": {"sentinel": {"type": "sse", "url": "http://x"}}}',
            "a kind that cannot be called (sse)",
        ),
    ],
)
def test_a_file_without_a_usable_entry_is_refused_by_name(tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / ".claude.json").write_text(text)
    with pytest.raises(Refusal) as refused:
        resolved_entry.show(EntryRequest(**document(tmp_path)))
    assert str(tmp_path / ".claude.json") in str(refused.value) and sentence in str(refused.value)
