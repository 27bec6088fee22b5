"""`claude sessions`: the open sessions, and those that a handover leaves without tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hostctl import claude_sessions as sessions
from hostctl.claude_client import processes
from hostctl.claude_client.processes import is_claude
from hostctl.claude_sessions import SessionsRequest, judged

SENTINEL, CONTEXTFORGE = "sentinel", "contextforge"


def await_program(pid: int, name: str) -> None:
    """The kernel shows the arguments of an exec last."""
    while Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] != name.encode():
        time.sleep(0.01)


@contextmanager
def running(
    command: Sequence[str], folder: Path, name: str = "", **variables: str
) -> Generator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, cwd=folder, env={"PATH": os.environ["PATH"], **variables}) as process:
        await_program(process.pid, name or command[0])
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def claude(tmp_path: Path) -> str:
    """A program of that name which waits."""
    return str(shutil.copy("/bin/sleep", tmp_path / "claude"))


def of(process: subprocess.Popen[bytes], home: Path) -> list[dict[str, Any]]:
    (home / ".claude.json").touch()
    request = SessionsRequest(str(home / ".claude.json"), str(home / "claude-folder"), str(home / "handover"))
    return [row for row in sessions.sessions(request)["sessions"] if row["pid"] == process.pid]


def test_a_session_is_listed_with_its_folder_its_start_and_the_file_that_it_uses(claude: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    with running([claude, "60"], project, HOME=str(tmp_path)) as process:
        (row,) = of(process, tmp_path)
    assert (row["folder"], row["file"]) == (str(project), str(tmp_path / ".claude.json"))
    assert (row["began_on"], row["goes_on"]) == (CONTEXTFORGE, True)
    with running([claude, "60"], project, HOME="/elsewhere", CLAUDE_CONFIG_DIR=str(tmp_path / "other")) as process:
        (row,) = of(process, tmp_path)
    assert row["file"] == str(tmp_path / "other" / ".claude.json")


def test_a_process_of_another_network_does_not_see_this_hosts_loopback(claude: str, tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if os.geteuid() or unshare is None:
        pytest.skip("a network namespace needs root and unshare")
    with running([unshare, "--net", claude, "60"], tmp_path, claude) as process:
        assert of(process, tmp_path) == []


def test_a_child_of_a_session_is_no_session_of_its_own(claude: str, tmp_path: Path) -> None:
    (tmp_path / "shell").mkdir()
    shell = str(shutil.copy("/bin/sh", tmp_path / "shell" / "claude"))
    with running([shell, "-c", f"{claude} 60 & echo $!; wait"], tmp_path) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not children.read_text().split():
            time.sleep(0.01)
        (child,) = children.read_text().split()
        await_program(int(child), claude)
        known = processes.found(os.geteuid())
        assert [one.pid for one in known if one.pid in (process.pid, int(child))] == [process.pid]
        os.kill(int(child), 9)


@pytest.mark.parametrize(
    ("program", "arguments", "expected"),
    [
        ("/usr/local/bin/claude", ["claude"], True),
        ("/home/op/.local/share/claude/versions/2.1.331", ["claude", "--resume"], True),
        ("/usr/bin/node", ["node", "--no-warnings", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js"], True),
        ("/usr/bin/node", ["claude"], True),
        ("/usr/bin/node", ["node", "/usr/local/bin/claude", "-p"], True),
        ("/usr/bin/node", ["node", "/usr/local/bin/claude", "mcp", "list"], False),
        ("/usr/local/bin/claude", ["claude", "--version"], False),
        ("/usr/bin/node", ["node", "server.js"], False),
        ("/usr/bin/node", ["node"], False),
        ("/usr/bin/vim", ["vim", "claude"], False),
        ("/usr/bin/sleep", [], False),
    ],
)
def test_claude_code_is_known_by_its_program(program: str, arguments: list[str], expected: bool) -> None:
    assert is_claude(program, arguments) is expected


CUTOVER, ROLLBACK, AGAIN = (10.0, SENTINEL), (20.0, CONTEXTFORGE), (30.0, SENTINEL)


@pytest.mark.parametrize(
    ("since", "handovers", "program", "accepted", "expected"),
    [
        (5, [], False, False, (CONTEXTFORGE, "")),
        (5, [CUTOVER], False, True, (CONTEXTFORGE, "")),
        (5, [CUTOVER], False, False, (CONTEXTFORGE, "no longer accepts")),
        (5, [CUTOVER], True, True, (CONTEXTFORGE, "in ContextForge's container")),
        (15, [CUTOVER], True, False, (SENTINEL, "")),
        (15, [CUTOVER, (17.0, SENTINEL)], False, False, (SENTINEL, "")),
        (15, [CUTOVER, ROLLBACK], False, True, (SENTINEL, "Sentinel's names")),
        (15, [ROLLBACK], False, True, (SENTINEL, "Sentinel's names")),
        (5, [CUTOVER, ROLLBACK], False, False, (CONTEXTFORGE, "")),
        (5, [CUTOVER, ROLLBACK], True, False, (CONTEXTFORGE, "in ContextForge's container")),
        (25, [CUTOVER, ROLLBACK], True, False, (CONTEXTFORGE, "")),
        (15, [CUTOVER, ROLLBACK, AGAIN], False, False, (SENTINEL, "")),
        (25, [CUTOVER, ROLLBACK, AGAIN], False, False, (CONTEXTFORGE, "no longer accepts")),
    ],
)
def test_a_session_goes_on_where_the_gateway_that_serves_takes_its_token_and_its_names(
    since: float, handovers: list[tuple[float, str]], program: bool, accepted: bool, expected: tuple[str, str]
) -> None:
    began_on, reason = judged(since, handovers, program, accepted)
    assert began_on == expected[0]
    assert expected[1] in reason and bool(reason) == bool(expected[1])


def test_before_a_cutover_the_answer_speaks_of_the_time_after_it(claude: str, tmp_path: Path) -> None:
    (tmp_path / ".claude.json").touch()
    record = {"found": {"theirs": {"value": json.dumps({"command": "docker", "args": ["run", "-i"]})}}}
    (tmp_path / "with-program").mkdir()
    (tmp_path / "with-program" / "record.json").write_text(json.dumps(record))

    def answer(folder: str, hours: int) -> str:
        request = SessionsRequest(
            str(tmp_path / ".claude.json"), str(tmp_path / folder), str(tmp_path / "handover"), "", SENTINEL, hours
        )
        return next(one["reason"] for one in sessions.sessions(request)["sessions"] if one["pid"] == process.pid)

    with running([claude, "60"], tmp_path) as process:
        assert answer("none", 72) == ""
        assert "no longer accepts" in answer("none", 0)
        assert "in ContextForge's container" in answer("with-program", 72)


def test_while_the_bridge_honours_the_token_a_session_of_before_goes_on(claude: str, tmp_path: Path) -> None:
    (tmp_path / ".claude.json").touch()
    handovers = tmp_path / "handover"
    handovers.mkdir()
    grace = tmp_path / "predecessor.json"
    with running([claude, "60"], tmp_path) as process:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
        (handovers / "state.json").write_text(json.dumps({"active": SENTINEL, "at": at}))
        request = SessionsRequest(str(tmp_path / ".claude.json"), str(tmp_path), str(handovers), str(tmp_path))
        for until, goes_on in ((time.time() + 60, True), (time.time() - 60, False)):
            grace.write_text(json.dumps({"tokens": [{"sha256": "0", "until": until}]}))
            rows = sessions.sessions(request)["sessions"]
            assert [row["goes_on"] for row in rows if row["pid"] == process.pid] == [goes_on]
