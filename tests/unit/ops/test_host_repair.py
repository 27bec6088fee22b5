"""Before a run: what Claude has lost is put back, while Sentinel should have the port; missing containers are found."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
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


CONTAINER = "docker:index/container:Container"
POSTGRES, GATEWAY, FORMER = (
    {"type": CONTAINER, "id": "p1", "outputs": {"name": "postgres", "mustRun": True}},
    {"type": CONTAINER, "id": "g1", "outputs": {"name": "gateway", "mustRun": False}},
    {"type": CONTAINER, "id": "f1", "outputs": {"name": "former", "mustRun": True}, "delete": True},
)


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ({}, []),
        ({"stopped": [], "gone": []}, []),
        ({"stopped": ["p1"], "gone": []}, ["postgres was stopped since the last run, and is restored."]),
        ({"stopped": [], "gone": ["g1"]}, ["gateway was removed since the last run, and is restored."]),
    ],
    ids=["not-compared", "all-there", "stopped", "removed"],
)
def test_each_missing_container_is_named_and_calls_for_a_refresh(
    answer: dict[str, Any], lines: list[str], tmp_path: Path
) -> None:
    shown = io.StringIO()
    found = host_repair.containers_are_missing(answer, [POSTGRES, GATEWAY, FORMER], Progress(tmp_path, shown))
    assert found is bool(lines)
    assert [line for line in shown.getvalue().splitlines() if line] == lines


def test_the_states_containers_and_folders_of_files_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(stack: str, known: object, verb: str, action: str, document: Mapping[str, Any]) -> dict[str, Any]:
        folders = [f"{FOLDER}/sentinel-files-b"]
        assert (verb, action, document) == (
            "docker", "presence", {"running": ["p1"], "existing": ["g1"], "folders": folders}
        )  # fmt: skip
        return {"missing": []}

    monkeypatch.setattr(host, "run", run)
    resources = [POSTGRES, GATEWAY, FORMER, files("a", delete=True), files("b")]
    assert host_repair.presence("lab", settings("sentinel"), resources) == {"missing": []}


def test_a_first_run_compares_nothing() -> None:
    assert host_repair.presence("lab", settings("sentinel"), []) == {}


FOLDER = load(configuration(active="sentinel"), SECRET_KEYS).host.folder


def files(contents: str, **more: Any) -> dict[str, Any]:
    """The component of a set of files in the state."""
    urn = "urn:pulumi:lab::p::sentinel-cutover:index:HostFiles::sentinel-files"
    return {**component("HostFiles", hash=contents), "urn": urn, **more}


def written(contents: str, text: str, **more: Any) -> dict[str, Any]:
    """Its action in a state with plain secrets."""
    document = {"folder": f"{FOLDER}/sentinel-files-{contents}", "files": [{"name": "key", "content": text}]}
    stdin = {"plaintext": json.dumps(json.dumps(document))}
    return {"type": "command:local:Command", "inputs": {"create": "python3 h files write", "stdin": stdin}, **more}


def test_missing_files_are_written_once_as_the_state_has_them_now_and_the_rest_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote: list[str] = []

    def run(stack: str, known: object, verb: str, action: str, document: Mapping[str, Any]) -> dict[str, Any]:
        assert (verb, action) == ("files", "write")
        wrote.append(document["files"][0]["content"])
        return {}

    monkeypatch.setattr(host, "run", run)
    lost = {
        "missing": [
            {"path": f"{FOLDER}/sentinel-files-a/key", "container": "gateway"},
            {"path": f"{FOLDER}/sentinel-files-b", "container": ""},
            {"path": "/elsewhere/key", "container": "former"},
        ]
    }
    shown = io.StringIO()
    resources = [written("a", "replaced", delete=True), written("a", "now"), written("b", "b"), written("c", "c")]
    host_repair.write_files("lab", settings("sentinel"), lost, lambda: resources, Progress(tmp_path, shown))
    assert wrote == ["now", "b"]
    lines = [line for line in shown.getvalue().splitlines() if line]
    assert [line for line in lines if "written again" in line] == [
        f"{FOLDER}/sentinel-files-{contents} lacked files on the host, which have been written again."
        for contents in "ab"
    ]
    assert lines[-1].startswith(
        "/elsewhere/key is missing on the host, and former, which mounts it, cannot start again"
    )


def test_the_state_is_not_decrypted_while_nothing_is_missing(tmp_path: Path) -> None:
    def decrypted() -> list[dict[str, Any]]:
        raise AssertionError

    host_repair.write_files("lab", settings("sentinel"), {"missing": []}, decrypted, Progress(tmp_path))


def test_status_names_a_missing_file_its_container_and_the_fix() -> None:
    lost = {"missing": [{"path": "/srv/key", "container": "gateway"}, {"path": "/srv/hook", "container": ""}]}
    assert host_repair.missing_files(lost) == [
        "/srv/key is missing on the host, and gateway, which mounts it, cannot start again: `make up` writes it again",
        "/srv/hook is missing on the host: `make up` writes it again",
    ]
