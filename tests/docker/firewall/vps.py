"""A namespace that stands for the host: an interface, a default route, the operator's script, and the rules in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.box.network import inside

FAMILIES = ("iptables", "ip6tables")
CRON = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
"""The environment of a cron job at @reboot (crontab(5))."""


@dataclass
class Vps:
    """A namespace with an interface and a default route, and the operator's script in it."""

    namespace: str
    archive: Path
    script: Path
    folder: Path
    programs: str = ""

    def run(self, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.programs}:{os.environ['PATH']}" if self.programs else os.environ["PATH"]
        return subprocess.run(
            inside(self.namespace, argv), capture_output=True, text=True, env={"PATH": path} | environment, timeout=60
        )

    def document(self, **changes: Any) -> dict[str, Any]:
        document: dict[str, Any] = {
            "interfaces": ["eth0"], "ports": [9200, 9201], "ssh_port": 22, "script": str(self.script),
            "folder": str(self.folder), "escalation": "root",
        }  # fmt: skip
        return document | changes

    def hostctl(self, action: str, environment: dict[str, str] | None = None, **changes: Any) -> Any:
        """The answer, or the error's text."""
        path = f"{self.programs}:{os.environ['PATH']}" if self.programs else os.environ["PATH"]
        done = subprocess.run(
            inside(self.namespace, [sys.executable, "-I", "-S", str(self.archive), "firewall", action]),
            input=json.dumps(self.document(**changes)),
            capture_output=True, text=True, timeout=60, env={"PATH": path, **(environment or {})},
        )  # fmt: skip
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def rules(self, family: str = "iptables", chain: str = "") -> list[str]:
        listed = self.run(family, "-S", *([chain] if chain else [])).stdout
        return [line for line in listed.splitlines() if line.startswith("-A")]

    def boot(self) -> subprocess.CompletedProcess[str]:
        """A power cut, then cron's @reboot: nothing of the rules or chains is left when the script runs."""
        for family in FAMILIES:
            self.run(family, "-F")
            self.run(family, "-X")
        cron = CRON if not self.programs else CRON | {"PATH": f"{self.programs}:{CRON['PATH']}"}
        return subprocess.run(
            inside(self.namespace, ["env", "-i", *[f"{key}={value}" for key, value in cron.items()], str(self.script)]),
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip


def guarded(vps: Vps) -> dict[str, list[str]]:
    """By family and chain: the ports whose DROP of ours stands before anybody else's rule."""
    found: dict[str, list[str]] = {}
    for family in FAMILIES:
        for chain, option in (("INPUT", "--dport"), ("DOCKER-USER", "--ctorigdstport")):
            leading: list[str] = []
            for rule in vps.rules(family, chain):
                words = rule.split()
                if "sentinel-cutover" not in words or words[words.index("-j") + 1] != "DROP":
                    break
                assert words[words.index("-i") + 1] == "eth0"
                leading.append(words[words.index(option) + 1])
            found[f"{family} {chain}"] = sorted(leading)
    return found


ALL = {f"{family} {chain}": ["9200", "9201"] for family in FAMILIES for chain in ("INPUT", "DOCKER-USER")}
