"""`python -S -m verify.link run USER ADDRESS PORT KEY HOST_KEY COMMAND…`: the command there, over the one connection.

`hold` instead of `run`, without a command, is the process that holds it. With `-S` Python starts in half the time;
nothing but the standard library is needed.
"""

from __future__ import annotations

import os
import sys

from verify.link import near_end, start
from verify.link.target import Target


def main(arguments: list[str]) -> int:
    """The exit code; `run` becomes ssh where all is well."""
    verb, user, address, port, key, host_key, *command = arguments
    target = Target(user, address, int(port), key, host_key)
    try:
        if verb == "hold":
            near_end.run(target, _ready)
            return 0
        start.ensure(target)
    except near_end.NotReached as error:
        print(error, file=sys.stdout if verb == "hold" else sys.stderr)
        return 255
    words = target.command_line(command)
    os.execvp(words[0], words)


def _ready() -> None:
    print(start.READY, flush=True)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
