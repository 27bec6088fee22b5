"""No delete of a dependent fails a rollback: it warns, records what is left, and a later run does it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from console.paths import ROOT
from hostctl import __main__ as program
from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.core.unfinished import FOLDER
from hostctl.host import repair
from tests.unit.hostctl.claude_client.cases import document
from tests.unit.hostctl.test_any_document import ran


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The product's folder, with the program installed in it."""
    monkeypatch.setattr("sys.argv", [str(tmp_path / "hostctl.pyz")])
    return tmp_path


@pytest.mark.parametrize("failure", [Refusal("broken"), OSError(28, "No space left on device"), ValueError("torn")])
@pytest.mark.parametrize("name", sorted(program.DEPENDENT_DELETES), ids=" ".join)
def test_a_delete_that_cannot_be_done_warns_is_recorded_and_succeeds(
    product: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: tuple[str, str], failure: Exception,
) -> None:  # fmt: skip
    def fails(request: dict[str, Any]) -> dict[str, Any]:
        raise failure

    answer = program._deleted(fails, name, repair.FolderRequest(""))  # pyright: ignore[reportPrivateUsage]
    assert answer["removed"] is False
    assert capsys.readouterr().err.startswith(f"warning: {' '.join(name)} was not done and the run goes on: ")
    assert [entry["verb"] for entry in repair.show(repair.FolderRequest(str(product)))["unfinished"]] == [
        " ".join(name)
    ]


@pytest.mark.parametrize("torn", ["", '{"mcpServers": {', "[]", "\0"])
def test_a_torn_file_of_claudes_is_reported_and_repaired_later(product: Path, torn: str) -> None:
    values = document(product, folder=str(product / "claude"), helper=str(product / "claude" / "headers"))
    claude = product / ".claude.json"
    claude.write_text('{"mcpServers": {}}\n')
    (product / ".mcp-token").write_text("old\n")
    request = json.dumps(values)
    for action in ("record", "apply"):
        assert ran(("claude", action), request)[0] == 0
    served = claude.read_text()
    claude.write_text(torn)
    code, out, err = ran(("claude", "restore"), request)
    assert code == 0 and json.loads(out)["removed"] is False and "`make up` repairs it" in err
    assert claude.read_text() == torn
    claude.write_text(served)
    assert repair.repair(repair.FolderRequest(str(product))) == {"done": ["claude restore"], "left": []}
    assert claude.read_text() == '{"mcpServers": {}}\n'
    assert not list((product / FOLDER).iterdir())


@pytest.mark.parametrize("failure", [Refusal("broken"), OSError(28, "No space left on device"), ValueError("torn")])
def test_a_delete_that_fails_again_is_named_and_stays_recorded(
    product: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fails(request: Document) -> dict[str, Any]:
        raise failure

    folder = repair.FolderRequest(str(product))
    program._deleted(fails, ("nightly", "remove"), folder)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(repair, "function", lambda _: fails)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    answer = repair.repair(folder)
    assert answer["done"] == [] and len(answer["left"]) == 1
    assert answer["left"][0].startswith("nightly remove is still not done: ")
    assert [entry["verb"] for entry in repair.show(folder)["unfinished"]] == ["nightly remove"]


OTHERS = {
    ("handover", "rollback"),
    ("sentinel", "stop"),
    ("token", "remove"),
    ("baseline", "forget"),
    ("grace", "remove"),
}
"""Deletes that may fail: the handover, and what it does not wait for since it is deleted after it."""
REGISTERED = re.compile(r'Operation\("([a-z0-9-]+)", [^)]*delete="([a-z-]+)"')


def test_every_delete_that_a_component_registers_is_tolerant_or_named_here() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "components").rglob("*.py")]
    registered = {found.groups() for source in sources for found in REGISTERED.finditer(source)}
    assert registered == program.DEPENDENT_DELETES | OTHERS
    assert registered <= set(program.VERBS)
