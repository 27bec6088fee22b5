"""Threat: a secret of the predecessor's stdio entry in a command line or an environment, where others can read it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.box import Box
from lab.box.network import inside
from tests.integration.bridge.parts import BACKEND_SERVER
from verify.client import Session, with_session
from verify.documents import Host
from verify.host import HostConnection
from verify.remote_program import RemoteProgram

SECRET = 'two words and a " quote'
SHOWS = """
import os, sys
others = [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]
lines = b""
for pid in others:
    try:
        lines += open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        pass
secret = os.environ["TOKEN"]
print(secret, sys.argv[1] == secret, secret.encode() in lines, sys.stdin.read())
"""
SSH = """#!/bin/sh
# What ssh and sshd do with a command line, once its arguments and variables have been noted.
{ printf '%s\\n' "$@"; env; } > "$(dirname "$0")/seen"
for last; do :; done
exec sh -c "$last"
"""


def far(**more: object) -> Host:
    unused = {"private_key_file": "unused", "host_key": "unused", "program": "unused", "docker_socket": "unused"}
    return Host.model_validate({"kind": "ssh", "address": "203.0.113.10", "user": "operator", **unused, **more})


def test_a_program_over_ssh_answers_and_no_secret_is_in_the_arguments_or_variables_of_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    async def work(session: Session) -> str:
        assert "alpha_echo" in session.tools
        return str((await session.client.call_tool("alpha_echo", {"text": "x"})).content)

    arguments = [str(BACKEND_SERVER), "alpha", "stdio", f"MCP_AUTH=Bearer {SECRET}"]
    program = HostConnection(far()).program(sys.executable, arguments, {"TOKEN": SECRET})
    assert "alpha:x" in asyncio.run(with_session(program, 10, work))
    seen = (tmp_path / "seen").read_text()
    assert "operator@203.0.113.10" in seen and SECRET not in seen and "MCP_AUTH" not in seen


@pytest.mark.lab
def test_a_program_over_ssh_has_its_arguments_variables_and_stdin_and_nobody_else_has_them(
    bare_box: Box,
) -> None:
    ssh = bare_box.ssh
    host = far(address=ssh.address, user=ssh.user, port=ssh.port, private_key_file=ssh.key, host_key=ssh.host_key)
    program = HostConnection(host).program("python3", ["-c", SHOWS, SECRET], {"TOKEN": SECRET})
    assert isinstance(program, RemoteProgram)
    done = subprocess.run(
        inside(bare_box.wan, list(program.ssh)),
        input=f"{program.first_message().model_dump_json()}\nwhat the client says\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, f"{SECRET} True False what the client says\n\n"), done.stderr
