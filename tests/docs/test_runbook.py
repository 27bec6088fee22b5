"""The runbook: every command in it exists, and every link of an error text leads to a heading."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Any, get_args

import pytest

from console.errors import UserError
from console.paths import ROOT
from hostctl.__main__ import VERBS
from hostctl.__main__ import main as hostctl
from ops import __main__ as operator
from ops.engine.run import EngineFailed
from verify import gates, gates_run, report
from verify.host import HostRefused
from verify.outcome import Result
from verify.standby import Standby

TEXT = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
WITHOUT_A_RUN = {"doctor", "env", "pin", "ready"}
"""Commands that run no engine, so that none of their errors is a failed run."""


def anchors(text: str) -> set[str]:
    """As a page on GitHub has them: lower case, blanks as hyphens, other signs gone."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_verb_of_the_host_has_its_heading() -> None:
    assert {f"hostctl-{'-'.join(verb)}" for verb in VERBS} <= anchors(TEXT)


def test_every_command_that_runs_the_engine_has_its_heading() -> None:
    assert {f"make-{command}" for command in set(operator.COMMANDS) - WITHOUT_A_RUN} <= anchors(TEXT)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_an_error_on_the_host_links_to_its_heading(
    verb: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Namespace(buffer=Namespace(read=lambda: b"no JSON")))
    assert hostctl(list(verb)) == 1
    message = capsys.readouterr().err
    found = re.search(r"\(docs/runbook\.md#([\w-]+)\)$", message.strip())
    assert found is not None, message
    assert found[1] in anchors(TEXT)


@pytest.mark.parametrize(
    ("error", "link"),
    [
        (EngineFailed("pulumi up failed."), "make-up"),
        (EngineFailed("hostctl x y: no (docs/runbook.md#hostctl-sentinel-start)."), "hostctl-sentinel-start"),
        (UserError("There is no stack x yet."), None),
    ],
)
def test_a_failed_run_links_once_and_a_wrong_argument_not_at_all(
    error: UserError, link: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    def function_of(_: str) -> Callable[..., Any]:
        return fails

    def ignores(*_: object) -> None:
        pass

    monkeypatch.setattr(operator, "function_of", function_of)
    monkeypatch.setattr(sys, "argv", ["ops", "up", "--stack", "lab"])
    monkeypatch.setattr(operator.signal, "signal", ignores)
    assert operator.main() == 1
    assert re.findall(r"docs/runbook\.md#([\w-]+)", capsys.readouterr().err) == ([link] if link else [])


@pytest.mark.parametrize("gate", gates.GATES, ids=lambda gate: gate.name)
def test_a_gate_that_fails_links_to_its_heading(
    gate: gates.Gate, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Host:
        def __init__(self, _: Any) -> None: ...

        async def hostctl(self, *_: Any, **__: Any) -> dict[str, Any]:
            facts = {"serves": False, "active": "contextforge", "holder": "x"}
            return {**facts, "name": "y", "log": ""}

    async def fails(_: Standby) -> str:
        raise HostRefused("no (docs/runbook.md#hostctl-gates-inspect)")

    monkeypatch.setattr(gates_run, "HostConnection", Host)
    monkeypatch.setattr(gates_run, "GATES", [gates.Gate(gate.name, gate.expected, fails, lambda _: 5.0)])
    request: Any = Namespace(host=None, container="", internal="", port=0, health_port=0, gateway="", gate_seconds=5.0)
    request.active, request.handover_folder = "sentinel", ""
    assert asyncio.run(gates_run.run_gates(request))["ok"] is False
    message = capsys.readouterr().err
    assert re.findall(r"docs/runbook\.md#([\w-]+)", message) == [f"gate-{gate.name}"]
    assert f"gate-{gate.name}" in anchors(TEXT)


@pytest.mark.parametrize("word", get_args(Result))
def test_a_result_that_is_not_ok_links_to_its_heading(word: Result) -> None:
    row = {"name": "a", "tool": "b", "result": word, "ms": 1}
    well = {part: {"ok": True} for part in report.PART_CODES}
    verified = {"ok": word == "ok", "active": "sentinel", "backends": [row], **well}
    links = [] if word == "ok" else [f"result-{word}"]
    for message in (report.text(verified), report.not_ok(verified)):
        assert re.findall(r"docs/runbook\.md#([\w-]+)", message) == links
    assert f"result-{word}" in anchors(TEXT)


def test_every_link_inside_the_program_leads_somewhere() -> None:
    sources = subprocess.run(["git", "ls-files", "*.py", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in sources.stdout.split():
        if name.startswith("tests/"):
            continue
        for found in re.findall(r"runbook\.md#([a-z][\w-]*[\w])", (ROOT / name).read_text(encoding="utf-8")):
            assert found in anchors(TEXT) or any(one.startswith(found) for one in anchors(TEXT)), f"{name}: {found}"


def test_every_command_named_in_it_is_a_target() -> None:
    assert set(re.findall(r"make ([a-z-]+)\b", TEXT)) <= targets()
