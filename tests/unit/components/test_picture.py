"""The picture in the documentation is the program's own graph."""

from __future__ import annotations

import re

from tests.unit.components.picture import PAGE, page_with, picture
from tests.unit.components.registration import register


def test_the_architecture_page_shows_the_graph_that_the_program_registers() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_with(picture(register())), (
        "docs/architecture.md is stale: run .venv/bin/python -m tests.unit.components.picture"
    )


def test_the_handover_comes_after_gates_and_rollback_and_only_what_depends_on_the_port_after_it() -> None:
    drawing = picture(register())
    assert "gates --> claude_permissions" in drawing and "claude_permissions --> handover" in drawing
    assert "rollback --> claude_record" in drawing and "claude_record --> gates" in drawing
    after = set(re.findall(r"^ *handover --> (\w+)$", drawing, re.MULTILINE))
    assert after == {"claude", "cutover_mark"}
    assert "handover --> claude" in drawing
    assert "claude --> verification" in drawing
