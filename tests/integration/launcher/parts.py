"""Supervisor, bridge and double with odd servers behind them, and a client's calls."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import stat
import sys
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge import shim
from tests.integration.bridge import parts
from tests.integration.bridge.client import headers, initialize, message, request

SERVER = Path(__file__).with_name("odd_server.py")
PACKAGES = next(path for path in sys.path if path.endswith("site-packages"))
BRIDGE_USER = 61001
AS_IN_THE_CONTAINER = (
    "setpriv", f"--regid={BRIDGE_USER}", "--clear-groups", "--no-new-privs",
    "--bounding-set=-all,+setuid,+setgid,+kill",
)  # fmt: skip
"""Root as Docker gives it to the container's first process: the bridge's group, three capabilities, no new ones."""
_FIRST_USERS = itertools.count(62000 + os.getpid() % 100 * 20, 5)
"""Users that nobody has on this machine, others in each house: a server's end ends every process of its user."""


def python() -> str:
    """A Python of this version that every user may run: the tests' own may lie in its user's home."""
    own = Path(sys.executable).resolve()
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in own.parents):
        return str(own)
    return f"/usr/bin/python3.{sys.version_info.minor}"


@dataclass
class House:
    """The running whole: `folder` has its files, `secrets` those of the servers by name."""

    bridge: parts.Bridge
    folder: Path
    session: dict[str, str]
    first_user: int

    def log(self) -> str:
        return self.bridge.program.log()

    def tools(self) -> list[str]:
        answer = request(self.bridge.url, "POST", message("tools/list", 2), self.session)
        return sorted(tool["name"] for tool in answer.json()["result"]["tools"])

    def call(self, name: str, what: str, value: object = "", own_id: int = 3) -> Any:
        """The text of the answer, or its error."""
        arguments = {"what": what, "value": str(value)}
        answer = request(
            self.bridge.url, "POST", message("tools/call", own_id, name=f"{name}_do", arguments=arguments), self.session
        ).json()
        return answer["result"]["content"][0]["text"] if "result" in answer else answer["error"]

    def first_processes(self) -> dict[str, int]:
        """The supervisor, the bridge below it, and the gateway below that."""
        supervisor = self.bridge.program.process.pid
        (bridge,) = (pid for pid in _children(supervisor) if pid not in self.processes())
        return {"supervisor": supervisor, "bridge": bridge, "gateway": _children(bridge)[0]}

    def processes(self) -> dict[int, int]:
        """Every process of the house's servers, with its user."""
        found: dict[int, int] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (user := folder.stat().st_uid) in range(self.first_user, self.first_user + 5):
                    found[int(folder.name)] = user
        return found


@contextlib.contextmanager
def house(
    database_url: str,
    servers: Mapping[str, Mapping[str, str]],
    secrets: Mapping[str, Mapping[str, str]] | None = None,
    **changes: Any,
) -> Generator[House]:
    """`servers` maps a name to its environment; `secrets` a name to its secret variables.

    GATEWAY_UNDER_TEST names another gateway than the double.
    """
    first_user = next(_FIRST_USERS)
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        folder = Path(made)
        # As /tmp in the container: everybody may write, and remove only what is theirs.
        folder.chmod(0o1777)
        files: dict[str, dict[str, str]] = {name: {} for name in servers}
        for number, name in enumerate(servers):
            for variable, value in (secrets or {}).get(name, {}).items():
                file = folder / f"{name}.{variable}"
                _written(file, value, first_user + number, 0o400)
                files[name][variable] = str(file)
        described = {
            name: {
                "user": first_user + number,
                "command": python(),
                "arguments": ["-I", "-S", str(SERVER)],
                "environment": {"SERVER": name, **environment},
                "secret_files": files[name],
            }
            for number, (name, environment) in enumerate(servers.items())
        }
        port, health_port, own_health = parts.free_port(), parts.free_port(), parts.free_port()
        socket = str(folder / "bridge" / "launcher")
        backends = [
            {
                "name": name,
                "type": "stdio",
                "command": python(),
                "args": ["-I", "-S", str(shim.__file__), name, socket],
                "max_restarts": 1,
                "timeout_secs": 20,
            }
            for name in servers
        ]
        toml = parts.write_gateway_toml(folder / "sentinel.toml", backends, own_health)
        double = ["env", f"PYTHONPATH={PACKAGES}", python(), "-m", "lab.doubles.sentinel"]
        given = os.environ.get("GATEWAY_UNDER_TEST")
        command = [*([given] if given else double), "--config", str(toml)]
        more = {"user": BRIDGE_USER, "stdio_servers": described, "servers_folder": str(folder), **changes}
        more["health_listen"] = f"127.0.0.1:{health_port}"
        main = parts.gateway(command, own_health, servers)
        configuration = parts.write_bridge_json(folder, port, [], database_url, {"main": main}, **more)
        for file in ("sentinel.toml", "bridge.json", "jwt_secret", "database_url"):
            os.chown(folder / file, BRIDGE_USER, BRIDGE_USER)
            (folder / file).chmod(0o440 if file == "bridge.json" else 0o400)
        # Not root's home, where the bridge's user may read nothing.
        environment = {"PYTHONPATH": PACKAGES, "HOME": made}
        supervisor = [*AS_IN_THE_CONTAINER, python(), "-m", "bridge.supervisor", "--config", configuration]
        with parts.program(*supervisor, environment=environment) as started:
            bridge = parts.Bridge(port, health_port, started, configuration)
            try:
                parts.until(
                    lambda: "MCP is served" in started.log() or started.process.poll() is not None, "it serves", 60
                )
                assert started.process.poll() is None, started.log()
                opened = request(bridge.url, "POST", initialize(), headers()).headers["mcp-session-id"]
                yield House(bridge, folder, headers(Mcp_Session_Id=opened), first_user)
            finally:
                if started.process.poll() is None:
                    started.process.send_signal(signal.SIGTERM)
                    with contextlib.suppress(Exception):
                        started.process.wait(15)


def _written(file: Path, text: str, user: int, mode: int) -> None:
    file.write_text(text)
    os.chown(file, user, user)
    file.chmod(stat.S_IMODE(mode))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def decoded(text: str) -> dict[str, str]:
    return json.loads(text)


def started_pids(log: str, name: str) -> list[int]:
    """The processes of a server, in the order of their starts, as the log has them."""
    return [int(pid) for pid in re.findall(rf"{name}: its server serves \(process (\d+)", log)]
