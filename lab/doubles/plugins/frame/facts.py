"""The hosts a double may touch, as written beside its executable at installation.

Owns: the refusal of every other host, in one sentence.
Deliberately does not: read them from any place that a program or its configuration can change.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from lab.doubles.plugins.frame.serve import PluginError


class AllowedHosts:
    def __init__(self, docker_hosts: list[str], ssh_hosts: list[str]) -> None:
        self._docker_hosts = docker_hosts
        self._ssh_hosts = ssh_hosts

    @staticmethod
    def of_installation() -> AllowedHosts:
        facts = json.loads(Path(os.environ.pop("DOUBLE_FACTS")).read_text())
        return AllowedHosts(facts["docker_hosts"], facts["ssh_hosts"])

    def require_docker_host(self, host: str) -> None:
        address = urlsplit(host)
        if host in self._docker_hosts or (address.scheme == "ssh" and address.hostname in self._ssh_hosts):
            return
        raise PluginError(
            f"The lab's docker plugin refuses the Docker host {host}: it is a double that acts on "
            f"{' and '.join(self._docker_hosts + [f'ssh://…@{name}' for name in self._ssh_hosts])} only; "
            "install the published plugin for any other host."
        )

    def require_ssh_host(self, host: str) -> None:
        if host in self._ssh_hosts:
            return
        raise PluginError(
            f"The lab's command plugin refuses the ssh host {host}: it is a double that acts on "
            f"{' and '.join(self._ssh_hosts) or 'no ssh host'} only; install the published plugin for any other host."
        )
