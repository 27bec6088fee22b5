"""Promises of the remote resources, on a real ssh server that lets no variable in; and Docker through ssh."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contract_engine import Outcome, Resources, Stack, error_lines
from contract_subjects import Daemon, NewStack, SshServer


@dataclass(frozen=True)
class Life:
    stack: Stack
    folder: Path
    first: Outcome
    unchanged: Outcome
    changed: Outcome
    copied_again: str
    refused: Outcome
    destroyed: Outcome


@pytest.fixture(scope="module")
def life(new_stack: NewStack, ssh_server: SshServer, daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("remote")
    (folder / "source").write_text("one")
    stack = new_stack()
    program = _program(ssh_server, daemon, folder)
    first = stack.up(program)
    unchanged = stack.preview()
    (folder / "source").write_text("two")
    program = copy.deepcopy(program)
    program["remote"]["arguments"]["stdin"] = "second"
    changed = stack.up(program)
    copied = (folder / "target").read_text()
    refusing: dict[str, Any] = {
        "kind": "command.remote.Command",
        "arguments": {"connection": ssh_server.connection(), "create": "true", "environment": {"NAME": "x"}},
    }
    refused = stack.up(program | {"refused": refusing})
    return Life(stack, folder, first, unchanged, changed, copied, refused, stack.destroy())


def _program(server: SshServer, daemon: Daemon, folder: Path) -> Resources:
    options = ["-i", str(server.key_file), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    return {
        "far": {
            "kind": "docker.Provider",
            "arguments": {"host": f"ssh://root@127.0.0.1:{server.port}", "ssh_opts": options},
        },
        "volume": {
            "kind": "docker.Volume",
            "arguments": {"name": f"{daemon.prefix}-far"},
            "options": {"provider": "far"},
        },
        "remote": {
            "kind": "command.remote.Command",
            "arguments": {
                "connection": server.connection(),
                "create": "cat; echo error >&2",
                "update": 'echo "[$PULUMI_COMMAND_STDOUT]"; cat',
                "delete": f"echo gone > {folder}/gone",
                "stdin": "first",
            },
        },
        "copied": {
            "kind": "command.remote.CopyToRemote",
            "arguments": {
                "connection": server.connection(),
                "source": {"file": str(folder / "source")},
                "remote_path": str(folder / "target"),
            },
        },
    }


def test_a_remote_command_gets_its_stdin_and_gives_its_output(life: Life) -> None:
    assert life.first.status == 0, life.first.text
    outputs = life.first.resources["remote"]["outputs"]
    assert (outputs["stdout"], outputs["stderr"]) == ("first", "error")


def test_the_connection_is_secret_in_state(life: Life, ssh_server: SshServer) -> None:
    assert ssh_server.private_key.splitlines()[1] not in life.stack.state_text()


def test_nothing_differs_when_nothing_changed(life: Life) -> None:
    assert life.unchanged.operations == []


def test_the_previous_output_arrives_empty_with_a_warning(life: Life) -> None:
    assert life.changed.status == 0, life.changed.text
    assert life.changed.resources["remote"]["outputs"]["stdout"] == "[]\nsecond"
    assert "PULUMI_COMMAND_STDOUT" in life.changed.text


def test_a_remote_environment_that_sshd_refuses_fails_the_command(life: Life) -> None:
    assert life.refused.status != 0
    assert "NAME" in life.refused.text
    assert "refused" not in life.refused.resources


def test_a_file_is_copied_again_when_its_content_changes(life: Life) -> None:
    assert ("update", "copied") in life.changed.changed()
    assert life.copied_again == "two"


def test_a_host_without_the_sftp_subsystem_takes_no_copy(
    new_stack: NewStack, ssh_server_without_sftp: SshServer, tmp_path: Path
) -> None:
    (tmp_path / "source").write_text("one")
    copied: dict[str, Any] = {
        "connection": ssh_server_without_sftp.connection(),
        "source": {"file": str(tmp_path / "source")},
        "remote_path": str(tmp_path / "target"),
    }
    refused = new_stack().up({"copied": {"kind": "command.remote.CopyToRemote", "arguments": copied}})
    assert refused.status != 0
    assert not (tmp_path / "target").exists()
    assert "copied" not in refused.resources


def test_a_failed_remote_command_has_its_output_on_the_lines_after_its_text(
    new_stack: NewStack, ssh_server: SshServer
) -> None:
    failing: dict[str, Any] = {"connection": ssh_server.connection(), "create": 'echo "no"; echo why >&2; exit 3'}
    failed = new_stack().up({"failing": {"kind": "command.remote.Command", "arguments": failing}})
    assert failed.status != 0
    text, *output = error_lines(failed.text)
    assert text == r'Process exited with status 3: running "echo \"no\"; echo why >&2; exit 3":'
    assert sorted(output) == ["no", "why"]


def test_destroying_runs_the_remote_delete_and_leaves_the_copied_file(life: Life) -> None:
    assert life.destroyed.status == 0, life.destroyed.text
    assert (life.folder / "gone").read_text() == "gone\n"
    assert (life.folder / "target").exists()


def test_docker_is_reached_through_ssh(life: Life, daemon: Daemon) -> None:
    assert life.first.resources["volume"]["outputs"]["name"] == f"{daemon.prefix}-far"
