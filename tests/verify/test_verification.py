"""Verification as a program, through the bridge to real backends: every result word, from its real cause."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.parts import (
    ROOT,
    Bridge,
    Database,
    free_port,
    http_backend,
    http_server,
    running_bridge,
    stdio_backend,
    token,
)


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Generator[Bridge]:
    port = free_port()
    backends = [stdio_backend("alpha"), http_backend("beta", port)]
    folder = tmp_path_factory.mktemp("bridge")
    with http_server("beta", port), running_bridge(folder, backends, database.url()) as started:
        yield started


def question(name: str, tool: str, contains: str | None = None, **arguments: Any) -> dict[str, Any]:
    expect = {} if contains is None else {"contains": [contains]}
    return {"name": name, "tool": f"{name}_{tool}", "arguments": arguments, "expect": expect, "timeout_seconds": 10}


def verified(
    folder: Path,
    url: str,
    questions: list[dict[str, Any]],
    *more: str,
    active: str = "sentinel",
    bearer: str | None = None,
) -> subprocess.CompletedProcess[str]:
    plan, token_file = folder / "plan.json", folder / "token"
    plan.write_text(json.dumps({"active": active, "backends": questions}))
    token_file.write_text((bearer or token()) + "\n")
    command = [sys.executable, "-m", "verify", "--url", url, "--token-file", token_file, "--expect", plan, *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


GOOD = [question("alpha", "echo", "alpha:x", text="x"), question("beta", "echo", "beta:x", text="x")]


def test_good_answers_make_the_designs_document_and_exit_code_0(bridge: Bridge, tmp_path: Path) -> None:
    done = verified(tmp_path, bridge.url, GOOD, "--json")
    document = json.loads(done.stdout)
    assert all(item.pop("ms") >= 0 for item in document["backends"])
    assert document == {
        "ok": True,
        "active": "sentinel",
        "backends": [
            {"name": "alpha", "tool": "alpha_echo", "result": "ok"},
            {"name": "beta", "tool": "beta_echo", "result": "ok"},
        ],
    }
    assert (done.returncode, done.stderr) == (0, "")


def test_without_json_it_is_a_table(bridge: Bridge, tmp_path: Path) -> None:
    lines = verified(tmp_path, bridge.url, GOOD).stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["backend", "tool", "result"],
        ["alpha", "alpha_echo", "ok"],
        ["beta", "beta_echo", "ok"],
    ]


SLOW = {**question("beta", "slow", seconds=20), "timeout_seconds": 0.5}


@pytest.mark.parametrize(
    ("bad", "word", "code"),
    [
        (question("beta", "echo", "something else", text="x"), "differs", 7),
        (question("beta", "fail"), "tool-error", 6),
        (question("beta", "gone"), "missing", 5),
        (SLOW, "unreachable", 4),
    ],
    ids=["differs", "tool-error", "missing", "too-slow"],
)
def test_one_bad_backend_is_told_apart_and_leaves_the_other_ok(
    bridge: Bridge, tmp_path: Path, bad: dict[str, Any], word: str, code: int
) -> None:
    done = verified(tmp_path, bridge.url, [GOOD[0], bad], "--json")
    assert [item["result"] for item in json.loads(done.stdout)["backends"]] == ["ok", word]
    assert done.returncode == code
    assert done.stderr.startswith(f"beta: {word}: ") and "Traceback" not in done.stderr


def test_a_refused_token_is_auth_for_every_backend(bridge: Bridge, tmp_path: Path) -> None:
    done = verified(tmp_path, bridge.url, GOOD, "--json", bearer=token(iss="mcpgateway"))
    assert [item["result"] for item in json.loads(done.stdout)["backends"]] == ["auth", "auth"]
    assert done.returncode == 3


def test_nobody_at_the_port_is_unreachable_for_every_backend(tmp_path: Path) -> None:
    done = verified(tmp_path, f"http://127.0.0.1:{free_port()}/mcp", GOOD, "--json")
    assert [item["result"] for item in json.loads(done.stdout)["backends"]] == ["unreachable", "unreachable"]
    assert done.returncode == 4


def test_a_backend_skipped_by_the_gateway_is_missing(tmp_path: Path, database: Database) -> None:
    backends = [stdio_backend("alpha"), http_backend("beta", free_port())]
    with running_bridge(tmp_path, backends, database.url()) as started:
        done = verified(tmp_path, started.url, GOOD, "--json")
    assert [item["result"] for item in json.loads(done.stdout)["backends"]] == ["ok", "missing"]


def test_at_contextforge_the_tools_are_asked_for_under_its_names(bridge: Bridge, tmp_path: Path) -> None:
    done = verified(tmp_path, bridge.url, GOOD, "--json", active="contextforge")
    assert [item["tool"] for item in json.loads(done.stdout)["backends"]] == ["alpha-alpha-echo", "beta-beta-echo"]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ("token", "cannot be read (No such file or directory): `make up` writes it, or give --token-file."),
        ("empty-token", "holds no token: `make up` writes it anew."),
        ("plan", "cannot be read (No such file or directory): give --expect an existing file."),
        ("json", "is wrong at the document: Invalid JSON"),
        ("active", "is wrong at active: Input should be 'sentinel' or 'contextforge'."),
        ("unknown", "is wrong at backends.0.nmae: Extra inputs are not permitted."),
    ],
)
def test_a_users_error_is_one_sentence(tmp_path: Path, broken: str, sentence: str) -> None:
    plan, token_file = tmp_path / "plan.json", tmp_path / "token"
    good = {"name": "alpha", "tool": "alpha_echo"}
    texts = {
        "json": "{",
        "active": json.dumps({"active": "both", "backends": [good]}),
        "unknown": json.dumps({"active": "sentinel", "backends": [{**good, "nmae": "x"}]}),
    }
    if broken != "plan":
        plan.write_text(texts.get(broken, json.dumps({"active": "sentinel", "backends": [good]})))
    if broken != "token":
        token_file.write_text("" if broken == "empty-token" else token())
    command = [sys.executable, "-m", "verify", "--url", "http://x", "--token-file", token_file, "--expect", plan]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert sentence in done.stderr and done.stderr.count("\n") == 1 and not done.stdout
