"""Before a run: what Claude has lost is put back, and only while Sentinel should have the port."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from console.errors import UserError
from console.progress import Progress
from ops.engine import host, host_repair
from settings import Settings, load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration

TOKEN = "/home/me/.mcp-token"


def component(name: str, **outputs: Any) -> dict[str, Any]:
    return {"type": f"sentinel-cutover:index:{name}", "outputs": outputs}


CUT_OVER = [
    component("Sentinel", container="sentinel-gateway-1"),
    component(
        "ClaudeClient",
        token_request={"path": TOKEN, "days": 90},
        entry_request={"file": "/home/me/.claude.json", "entry": "sentinel", "token_file": TOKEN},
    ),
]
STAGED = CUT_OVER[:1]


def settings(active: str) -> Settings:
    return load(configuration(active=active), SECRET_KEYS)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """Each verb with the file that it is about; the host has lost both."""
    found: list[tuple[str, str, str]] = []

    def run(stack: str, settings: Settings, verb: str, word: str, document: dict[str, Any]) -> dict[str, Any]:
        found.append((verb, word, document.get("file") or document["path"]))
        return {"kept": False, "changed": True}

    monkeypatch.setattr(host, "run", run)
    return found


def reported(tmp_path: Path, active: str, resources: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    host_repair.keep_claude("prod", settings(active), resources, Progress(tmp_path, out))
    return out.getvalue()


def test_claudes_own_token_and_entry_are_put_back_and_each_is_reported(
    tmp_path: Path, requests: list[tuple[str, str, str]]
) -> None:
    output = reported(tmp_path, "sentinel", CUT_OVER)
    assert requests == [("token", "write", TOKEN), ("claude", "apply", "/home/me/.claude.json")]
    assert f"The token in {TOKEN} was missing or about to expire" in output
    assert "Claude's entry sentinel in /home/me/.claude.json was not as declared and has been restored." in output


@pytest.mark.parametrize(("active", "resources"), [("contextforge", CUT_OVER), ("sentinel", STAGED), ("sentinel", [])])
def test_nothing_is_touched_where_the_run_leads_back_or_nothing_was_cut_over(
    tmp_path: Path, requests: list[tuple[str, str, str]], active: str, resources: list[dict[str, Any]]
) -> None:
    assert reported(tmp_path, active, resources) == ""
    assert requests == []


def test_a_refusal_is_reported_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> dict[str, Any]:
        raise UserError("hostctl claude apply: broken JSON at line 3")

    monkeypatch.setattr(host, "run", refused)
    assert "broken JSON at line 3" in reported(tmp_path, "sentinel", CUT_OVER)
