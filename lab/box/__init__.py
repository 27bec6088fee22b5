"""The box: network namespaces with their own Docker daemon, sshd and files, started and removed as one."""

from __future__ import annotations

from lab.box.facts import Box, Process, Ssh
from lab.box.lifecycle import down, orphans, reboot, restart_docker, status, up
from lab.box.place import Place

__all__ = ["Box", "Place", "Process", "Ssh", "down", "orphans", "reboot", "restart_docker", "status", "up"]
