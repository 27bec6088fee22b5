"""Claude's rules, its other entries and its open sessions on the VPS, over a cutover and a rollback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from lab.real.contextforge.containers import PROJECT
from tests.lab.claude.conftest import Client
from tests.lab.cutover.conftest import Lab
from tests.soak import only_soak

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

OLD, NEW = "mcp__contextforge", "mcp__sentinel"
KEPT = f"{OLD}__list_tables"
"""The open session's own file has an entry for the port too, which keeps its name."""
AGENT = f"---\nname: reader\ntools: Read, {OLD}__sqlite-list-tables\n---\nRead the tables.\n"


@pytest.fixture
def files(lab: Lab) -> Generator[dict[str, Path]]:
    """The operator's settings, and a project with rules and an entry of its own, while ContextForge serves."""
    lab.serve("contextforge")
    home = Path(lab.box.home)
    project = home / PROJECT
    token = (home / ".mcp-token").read_text().strip()
    entry = {"type": "http", "url": "http://localhost:9200/mcp", "headers": {"Authorization": f"Bearer {token}"}}
    contents: dict[Path, Any] = {
        home / ".claude" / "settings.json": {
            "permissions": {"allow": [OLD], "deny": [f"{OLD}__playwright-*", f"{OLD}__sqlite-gone"]},
            "hooks": {"PreToolUse": [{"matcher": f"{OLD}__n8n-.*", "hooks": [{"type": "command", "command": "true"}]}]},
        },
        project / ".claude" / "settings.local.json": {"permissions": {"allow": [f"{OLD}__sqlite-list-tables"]}},
        project / ".mcp.json": {"mcpServers": {"shared gateway": entry}},
    }
    for path, known in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=2) + "\n")
    agent = home / ".claude" / "agents" / "reader.md"
    agent.parent.mkdir()
    agent.write_text(AGENT)
    yield {"claude": home / ".claude.json", **{path.name: path for path in (*contents, agent)}}
    lab.serve("contextforge")
    for folder in (home / ".claude", project / ".claude"):
        shutil.rmtree(folder)
    (project / ".mcp.json").unlink()


@only_soak("a minute and a half; tests/unit/hostctl/claude_permissions has the files before and after")
def test_rules_entries_and_sessions_follow_a_cutover_and_a_rollback(
    lab: Lab, client: Client, files: dict[str, Path]
) -> None:
    before = {name: path.read_bytes() for name, path in files.items()}
    with client.session() as first:
        first.offered()
        lab.serve("sentinel")
        settings = json.loads(files["settings.json"].read_text())
        assert settings["permissions"]["allow"] == [OLD, NEW]
        denied = settings["permissions"]["deny"]
        assert denied[:1] + denied[-1:] == [f"{OLD}__playwright-*", f"{OLD}__sqlite-gone"]
        assert f"{NEW}__browser_navigate" in denied and len(denied) > 5
        guarded = settings["hooks"]["PreToolUse"][1]["matcher"]
        assert guarded.startswith(f"^{NEW}__(") and "list_workflows" in guarded
        local = json.loads(files["settings.local.json"].read_text())
        assert local["permissions"]["allow"] == [f"{OLD}__sqlite-list-tables", f"{NEW}__list_tables", KEPT]
        assert f"tools: Read, {OLD}__sqlite-list-tables, {NEW}__list_tables, {KEPT}\n" in files["reader.md"].read_text()
        allowed = json.loads(files["claude"].read_text())["projects"][str(Path(lab.box.home) / PROJECT)]["allowedTools"]
        assert allowed == [f"{OLD}__sqlite-list-tables", f"{NEW}__list_tables", KEPT]
        shared = json.loads(files[".mcp.json"].read_text())["mcpServers"]["shared gateway"]
        assert shared["headersHelper"] and "headers" not in shared
        with client.session() as second:
            second.offered()
            status = lab.ops("status")
            assert [row["goes_on"] for row in status["sessions"]] == [True, True], status["sessions"]
            assert any("shared gateway" in sentence for sentence in status["entries"])
            assert not second.call("list.tables$").failed
            rolled_back = lab.ops("rollback")
            open_now = {row["began_on"]: row for row in rolled_back["sessions"]}
            assert open_now["contextforge"]["goes_on"] is True
            assert (open_now["sentinel"]["goes_on"], open_now["sentinel"]["folder"]) == (False, str(client.home))
            assert "Sentinel's names" in open_now["sentinel"]["reason"]
            # Its token is accepted, its names are not.
            refused = second.call("list.tables$")
            assert refused.failed and "credential" not in refused.text, refused
        assert not first.call("list.tables$").failed
    assert {name: path.read_bytes() for name, path in files.items()} == before
