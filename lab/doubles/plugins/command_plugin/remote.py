"""`command.remote.Command`.

Owns: a command on a remote host, with the failure that the published plugin has for every variable that sshd refuses.
Deliberately does not: decide when it runs.
"""

from __future__ import annotations

import os

from lab.doubles.plugins.command_plugin.common import Run, command_schema
from lab.doubles.plugins.command_plugin.process import Children
from lab.doubles.plugins.command_plugin.ssh import reached
from lab.doubles.plugins.frame.facts import AllowedHosts
from lab.doubles.plugins.frame.serve import PluginError
from lab.doubles.plugins.frame.values import PlainMap, mapping, text

SCHEMA = command_schema(
    "connection", "create", "update", "delete", "environment", "stdin", "logging", "addPreviousOutputInEnv"
)
_HINT = (
    "This only works if your SSH server is configured to accept these variables via AcceptEnv. "
    "Pass data by `stdin` instead."
)


def run(children: Children, hosts: AllowedHosts, request: Run, command: str) -> PlainMap:
    connection = request.inputs.get("connection")
    environment, previous = mapping(request.inputs.get("environment")), request.previous_output()
    with reached(children, hosts, connection if isinstance(connection, dict) else {}) as ssh:
        refused = ssh.refused_variables(environment | previous)
        for name in refused:
            if name in environment:
                raise PluginError(f'could not set environment variable "{name}": ssh: setenv failed. {_HINT}')
            request.log.warning(request.urn, f"Unable to set '{name}'. {_HINT}")
        output = children.run(
            ssh.command_line(command, environment | previous),
            what=command,
            stdin=text(request.inputs.get("stdin")).encode(),
            environment={**os.environ, **environment, **previous},
            folder=None,
            echo_stdout=request.echo_stdout(),
            echo_stderr=request.echo_stderr(),
            exited="Process exited with status",
        )
    return {"stdout": output.stdout, "stderr": output.stderr}
