"""A program on the host, over ssh, with environment variables that stand in no command line and in no file.

`python -m verify.far_program SSH-LINE…`: the variables are in `VARIABLE`, and the line runs what `receiving` gives.

Owns: sending them ahead of the program's own stdin, one line of JSON, and passing everything after it on.
Deliberately does not: rely on `SendEnv`, which sshd refuses for names that it was not told of.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

VARIABLE = "SENTINEL_CUTOVER_ENVIRONMENT"
"""Of this process alone, on the operator's own machine: the variables as a JSON object."""

_CHUNK_BYTES = 65536
_RECEIVE = """
import json, os, sys
line = b""
while not line.endswith(b"\\n"):
    byte = os.read(0, 1)
    if not byte:
        sys.exit("the environment did not come")
    line += byte
os.environ.update(json.loads(line))
os.execvp(sys.argv[1], sys.argv[1:])
"""


def receiving(command: str, arguments: Sequence[str]) -> list[str]:
    """The words that, on the host, read the variables from stdin and become the program."""
    return ["python3", "-I", "-S", "-c", _RECEIVE, command, *arguments]


def main(line: Sequence[str]) -> int:
    variables = os.environ.pop(VARIABLE)
    with subprocess.Popen(line, stdin=subprocess.PIPE) as far:
        signal.signal(signal.SIGTERM, lambda number, frame: far.terminate())
        assert far.stdin is not None
        try:
            far.stdin.write(variables.encode() + b"\n")
            far.stdin.flush()
            while chunk := os.read(0, _CHUNK_BYTES):
                far.stdin.write(chunk)
                far.stdin.flush()
            far.stdin.close()
        except BrokenPipeError:
            # It ended by itself: its exit code says how.
            pass
        return far.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
