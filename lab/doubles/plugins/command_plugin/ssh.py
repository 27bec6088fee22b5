"""The way to a remote host through the ssh client.

Owns: options from a `connection`, the private key as a short-lived file, the variables that sshd lets in.
Deliberately does not: check host keys (the published plugin does not either without `hostKey`) or use proxies.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.doubles.plugins.command_plugin.process import Children, Output
from lab.doubles.plugins.frame.facts import AllowedHosts
from lab.doubles.plugins.frame.serve import PluginError
from lab.doubles.plugins.frame.values import PlainMap, number, text

CONNECTION_DEFAULTS: PlainMap = {"user": "root", "port": 22, "dialErrorLimit": 10, "perDialTimeout": 15}


@dataclass(frozen=True)
class Ssh:
    children: Children
    options: list[str]
    host: str

    def sftp(self, lines: list[str]) -> None:
        """Has sshd's SFTP subsystem carry out the lines; raises PluginError at the first that fails."""
        self.children.run(
            ["sftp", *self.options, "-b", "-", "--", self.host],
            what="sftp",
            stdin="".join(f"{line}\n" for line in lines).encode(),
            environment=os.environ,
            folder=None,
            echo_stdout=None,
            echo_stderr=None,
        )

    def run(self, command: str, *, stdin: bytes = b"", environment: dict[str, str] | None = None) -> Output:
        return self.children.run(
            self.command_line(command, environment or {}),
            what=command,
            stdin=stdin,
            environment={**os.environ, **(environment or {})},
            folder=None,
            echo_stdout=None,
            echo_stderr=None,
        )

    def command_line(self, command: str, environment: dict[str, str]) -> list[str]:
        sent = [part for name in environment for part in ("-o", f"SendEnv={name}")]
        return ["ssh", *sent, *self.options, "--", self.host, command]

    def refused_variables(self, environment: dict[str, str]) -> list[str]:
        """The names that sshd does not let in; the client cannot know, so the other side is checked."""
        if not environment:
            return []
        names = " ".join(shlex.quote(name) for name in environment)
        arrived = self.run(f"for name in {names}; do printenv $name >/dev/null && echo $name; done; true",
                           environment=environment).stdout  # fmt: skip
        return [name for name in environment if name not in arrived.split()]


@contextmanager
def reached(children: Children, hosts: AllowedHosts, connection: PlainMap) -> Generator[Ssh]:
    host = text(connection.get("host"))
    hosts.require_ssh_host(host)
    unknown = [key for key in ("proxy", "privateKeyPassword", "password") if connection.get(key)]
    if unknown:
        raise PluginError(f"connection: the lab's command plugin knows no {unknown[0]}; use a privateKey without one.")
    with tempfile.TemporaryDirectory(prefix="sc-ssh-") as folder:
        yield Ssh(children, _options(connection, Path(folder)), host)


def _options(connection: PlainMap, folder: Path) -> list[str]:
    settings = {
        "User": text(connection.get("user")) or "root",
        "Port": number(connection.get("port"), 22),
        "BatchMode": "yes",
        "LogLevel": "ERROR",
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "ConnectTimeout": number(connection.get("perDialTimeout"), 15),
        "ConnectionAttempts": max(1, number(connection.get("dialErrorLimit"), 10)),
    }
    if connection.get("hostKey"):
        known = folder / "known_hosts"
        known.write_text(f"* {text(connection['hostKey'])}\n")
        settings |= {"StrictHostKeyChecking": "yes", "UserKnownHostsFile": str(known)}
    options = [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]
    if connection.get("privateKey"):
        key = folder / "key"
        key.touch(0o600)
        key.write_text(text(connection["privateKey"]).rstrip("\n") + "\n")
        options += ["-i", str(key), "-o", "IdentitiesOnly=yes"]
    return options
