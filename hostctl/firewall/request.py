"""The firewall's request: the guarded ports, the operator's script, and the way to get the rights for it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from hostctl.core.errors import Refusal
from hostctl.firewall import rules
from hostctl.schedule import script_block
from hostctl.schedule.job import AUTO, Scheduler

COPY = "script-before"
REQUEST = "request.json"


@dataclass(frozen=True)
class FirewallRequest:
    """The ports that are guarded on the interfaces, and the script that does it at boot.

    `escalation` is root, sudo or container; a container runs on `image`, else on the image of the container `image_of`.
    `block` is the text that the preview showed for the script. `program` is `hostctl.pyz` for the jobs that keep the
    rules and bring them back after a boot; without it the script alone does.
    """

    folder: str
    interfaces: tuple[str, ...]
    ports: tuple[int, ...]
    script: str
    escalation: str = "root"
    image: str = ""
    image_of: str = ""
    ssh_port: int = 22
    block: str = ""
    program: str = ""
    scheduler: Scheduler = AUTO
    docker_socket: str = ""

    def __post_init__(self) -> None:
        if not self.ports:
            raise Refusal("'ports' in the document on stdin must be a list of whole numbers, at least one")
        if self.escalation not in ("root", "sudo", "container"):
            raise Refusal("'escalation' in the document on stdin must be root, sudo or container")

    @property
    def expected_block(self) -> script_block.Block:
        return rules.block(self.interfaces, self.ports)

    @property
    def request_file(self) -> str:
        """The request as it is kept for the jobs that keep the rules and bring them back."""
        return os.path.join(self.folder, REQUEST)

    @property
    def copy(self) -> str:
        """The path of the copy of the script as it was."""
        return os.path.join(self.folder, COPY)
