"""The gateway's child for one stdio backend: `python3 -I -S shim.py NAME SOCKET`.

It hands its own stdin and stdout, the gateway's pipes, to the bridge, and becomes `cat` on that connection: it costs no
memory, ends with the connection, and by SIGTERM as the gateway ends its children. It writes nothing to stderr, which
the gateway has closed.
"""

import os
import socket
import sys


def main() -> None:
    name, address = sys.argv[1:]
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    socket.send_fds(connection, [name.encode()], [0, 1])
    os.dup2(connection.fileno(), 0)
    os.execvp("cat", ["cat"])


if __name__ == "__main__":
    try:
        main()
    except OSError:
        sys.exit(1)
