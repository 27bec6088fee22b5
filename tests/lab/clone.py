"""A clone of this repository with a lab of its own, which the operator's commands alone drive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from console.paths import WORK
from lab.box import Box, Place, facts
from lab.box.hardened import as_operator
from lab.box.place import PROFILE
from tests import checkout_copy

SHARED = ("images", "programs", "toolchain")
"""Parts of this machine that a clone would make again."""
STACK = "lab"


READY = f"""
from console.paths import LOGS
from console.progress import Progress
from ops.engine import prerequisites
prerequisites.make_ready("{STACK}", Progress(LOGS))
"""


def plain_pulumi(stack: str, *arguments: str) -> list[str]:
    """The command line of `pulumi` as after `eval "$(make env STACK=…)"`, for a clone's folder."""
    line = f'eval "$({sys.executable} -m ops env --stack {stack})"; exec pulumi "$@"'
    return ["sh", "-c", line, "sh", *arguments]


@dataclass(frozen=True)
class Clone:
    """`folder` holds the clone; its box has the hardened profile, or the plain one."""

    folder: Path
    hardened: bool = True

    @property
    def place(self) -> Place:
        return Place(self.folder, hardened=self.hardened)

    def make_ready(self) -> None:
        """The box with ContextForge in it, and the stack's file; nothing of Sentinel."""
        self.run(sys.executable, "-c", READY)

    def take_down(self) -> None:
        """Nothing of the lab is left."""
        self.run("make", "down", f"STACK={STACK}", "YES=1", check=False)

    @cached_property
    def box(self) -> Box:
        found = facts.read(self.place.facts)
        assert found is not None
        return found

    @property
    def home(self) -> Path:
        return Path(self.box.home)

    def run(self, *argv: str, seconds: float = 500, check: bool = True) -> str:
        """A program's output in the clone; it must end well."""
        profile = {PROFILE: "hardened"} if self.hardened else {}
        done = subprocess.run(
            argv, cwd=self.folder, env={**os.environ, **profile}, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"{done.stdout[-1500:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def ops(self, command: str, *arguments: str, check: bool = True) -> Any:
        """The document of `make COMMAND JSON=1`; it must say that all is well."""
        argv = [sys.executable, "-m", "ops", command, "--stack", STACK, "--json", *arguments]
        return json.loads(self.run(*argv, check=check))

    def pulumi(self, *arguments: str) -> str:
        """Plain `pulumi`, as after `eval "$(make env)"`."""
        return self.run(*plain_pulumi(STACK, *arguments))

    def as_operator(self, *argv: str, check: bool = True) -> str:
        """A program's output on the VPS, as the operator."""
        return self.run(*as_operator(self.place, argv), check=check)

    def docker(self, *arguments: str) -> str:
        return self.run("docker", f"--host={self.box.docker_host}", *arguments).strip()

    def rules(self) -> list[str]:
        """Our rules, of both families."""
        listed = [
            self.run("nsenter", f"--net=/run/netns/{self.box.vps}", family, "-S")
            for family in ("iptables", "ip6tables")
        ]
        return [line for text in listed for line in text.splitlines() if "sentinel-cutover" in line]

    def until(self, good: Callable[[], bool], seconds: float) -> None:
        """Wait for a result that another process of the VPS writes."""
        end = time.monotonic() + seconds
        while not good():
            assert time.monotonic() < end, (self.place.logs / "cron.log").read_text()[-3000:]
            time.sleep(0.2)


def made(folder: Path, *, hardened: bool = True) -> Clone:
    """The clone, with what this machine has of images and tools."""
    checkout_copy.made(folder)
    (folder / ".work").mkdir()
    for name in SHARED:
        (WORK / name).mkdir(parents=True, exist_ok=True)
        (folder / ".work" / name).symlink_to(WORK / name)
    return Clone(folder, hardened)
