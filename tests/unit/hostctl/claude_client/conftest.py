"""A home with Claude's file and its token, as Claude left them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.hostctl.claude_client.cases import AROUND


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".claude.json").write_text(json.dumps(AROUND, indent=2) + "\n")
    (tmp_path / ".claude.json").chmod(0o640)
    (tmp_path / ".mcp-token").write_text("old\n")
    (tmp_path / ".mcp-token").chmod(0o400)
    return tmp_path
