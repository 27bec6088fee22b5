"""Threat: a secret of Claude's stdio entry in a command line, where everybody on the host can read it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lab.box import Box
from lab.box.network import inside
from verify.documents import Host
from verify.reach import Reach

SHOWS = """
import os, sys
pids = [pid for pid in os.listdir("/proc") if pid.isdigit()]
lines = b""
for pid in pids:
    try:
        lines += open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        pass
print(os.environ["TOKEN"], os.environ["TOKEN"].encode() in lines, b"os.execvp" in lines, sys.stdin.read())
"""


SECRET = 'two words and a " quote'


@pytest.mark.lab
def test_a_program_over_ssh_has_its_variables_its_stdin_and_no_secret_in_any_command_line(lab_box: Box) -> None:
    ssh = lab_box.ssh
    host = Host(
        kind="ssh",
        address=ssh.address,
        user=ssh.user,
        port=ssh.port,
        private_key_file=ssh.key,
        host_key=ssh.host_key,
        program="unused",
        docker_socket="unused",
    )
    program = Reach(host).program("python3", ["-c", SHOWS], {"TOKEN": SECRET})
    done = subprocess.run(
        inside(lab_box.wan, [program.command, *program.args]),
        input="what the client says\n",
        env={"PATH": os.environ["PATH"], **(program.env or {})},
        cwd=Path(str(program.cwd)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, f"{SECRET} False True what the client says\n\n"), done.stderr
