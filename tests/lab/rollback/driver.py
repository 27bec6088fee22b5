"""The lab between staged and cut over, for the tests of the rollback.

Owns: bringing it to a start, watching the port from outside, killing the engine at a moment of one resource.
Deliberately does not: know any resource by name; they come from the engine's own events.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.paths import ROOT
from lab.benchmarks.watched import watched
from tests.lab.cutover.conftest import STACK, Lab

PORT = "9200"
UNEXPLAINED_MS = 2000
"""A gap that is longer than the handovers' own figures by more than this: nobody had the port. A busy gateway may take
this long for one answer, a run that has to be made again takes longer."""
GATEWAYS = {"sentinel": "sentinel-gateway", "contextforge": "mcp-context-forge-gateway"}
"""The beginnings of their containers' names."""
OTHER = {"sentinel": "contextforge", "contextforge": "sentinel"}
RUN = ("up", "--yes", "--skip-preview", "--non-interactive", "--color", "never")


@dataclass
class Watched:
    """The longest time without an answer, and the longest window that a handover meanwhile says it took."""

    gap_ms: float = 0
    window_ms: float = 0

    @property
    def served(self) -> bool:
        """True when one of the two answered whenever the port was not just changing hands."""
        return self.gap_ms < self.window_ms + UNEXPLAINED_MS


@dataclass(frozen=True)
class Point:
    """A moment of one resource: `before` its operation, `during` (noted as begun), `after` (noted as done)."""

    moment: str
    resource: str

    def __str__(self) -> str:
        return f"{self.moment} {self.resource}"


@dataclass
class Driver:
    """Drives the lab between staged (ContextForge serves) and cut over (Sentinel serves)."""

    lab: Lab
    forges_token: str = ""

    def acts_here(self) -> None:
        """A stack that another group left deployed over ssh is taken down: sshd lets no variable in, so no point at
        which `hostctl` is to be killed would arrive, and a deployed stack keeps its way to the host. Its settings go
        too, so that the host is the one that the lab's own configuration names.
        """
        if self.lab.outputs().get("host", "local") != "local":
            self.lab.pulumi("destroy", "--yes", "--skip-preview", "--non-interactive", "--color", "never")
        for key in re.findall(r"^ +sentinel-cutover:(host\.\w+):", self.lab.configuration(), re.MULTILINE):
            self.lab.pulumi("config", "rm", key)

    def staged(self) -> None:
        self.turn("contextforge")
        self.forges_token = (Path(self.lab.box.home) / ".mcp-token").read_text().strip()

    def cut_over(self) -> None:
        self.turn("sentinel")

    def turn(self, active: str) -> None:
        """The switch, and `make up`: it must end as configured. Nothing is done where all of it is so already."""
        if self.is_at(active):
            return
        self.lab.set("active", active)
        done = self.lab.make("up")
        assert done.returncode == 0, done.stderr[-3000:]
        self.must_be(active)

    def is_at(self, active: str) -> bool:
        """True when the configuration and the port say so, and nothing is pending or locked in the state."""
        state: dict[str, Any] = json.loads(self.state_file().read_bytes())["checkpoint"]["latest"] or {}
        locked = any(self.state_file().parents[2].glob("locks/**/*.json"))
        if f"active: {active}\n" not in self.lab.configuration() or state.get("pending_operations") or locked:
            return False
        return len(state.get("resources") or []) > 1 and self.holder().startswith(GATEWAYS[active])

    def holder(self) -> str:
        """Names of the containers that publish the port, one and no more when all is well."""
        return self.lab.docker("ps", "--filter", f"publish={PORT}", "--format", "{{.Names}}")

    def must_be(self, active: str) -> None:
        """The right state after a command that has verified it: one container has the port, and it is the right one."""
        (holder,) = self.holder().split()
        assert holder.startswith(GATEWAYS[active])

    def must_be_whole(self, active: str) -> dict[str, Any]:
        """The same by the host, by the state, and through Claude's entry."""
        status = self.lab.make("status")
        found = json.loads(status.stdout)
        assert (found["active"], found["healthy"], found["drift"]) == (active, True, []), status.stderr[-3000:]
        self.must_be(active)
        return found

    def lacking_for_a_restart(self) -> list[str]:
        """All that a container of ours, running or not, would need at its next start and the host does not have."""
        volumes = set(self.lab.docker("volume", "ls", "-q").split())
        networks = set(self.lab.docker("network", "ls", "-q", "--no-trunc").split())
        images = set(self.lab.docker("images", "-aq", "--no-trunc").split())
        lacking: list[str] = []
        for one in self.lab.docker("ps", "-aq", "--filter", "label=sentinel-cutover=true").split():
            found = self.lab.inspect(one)
            mounts = [(mount["Type"], mount.get("Name") or mount["Source"]) for mount in found["Mounts"]]
            missing = [source for kind, source in mounts if kind == "bind" and not os.path.exists(source)]
            missing += [name for kind, name in mounts if kind == "volume" and name not in volumes]
            joined = found["NetworkSettings"]["Networks"].items()
            missing += [name for name, at in joined if at["NetworkID"] and at["NetworkID"] not in networks]
            missing += [found["Image"]] if found["Image"] not in images else []
            lacking += [f"{found['Name']}: {what}" for what in missing]
        return lacking

    @contextmanager
    def watched(self) -> Generator[Watched]:
        """An independent client on the port, from before the first move to after the last."""
        seen, before = Watched(), set(self.handovers())
        with watched(self.lab.box, int(PORT), self.tokens(), interval_seconds=0.1) as watch:
            yield seen
        seen.gap_ms = watch.gap_ms
        seen.window_ms = max([took for name, took in self.handovers().items() if name not in before], default=0)

    def tokens(self) -> list[str]:
        """One that ContextForge knows, kept from the staged lab, and one that Sentinel knows."""
        return [self.forges_token, (Path(self.lab.box.folder) / "handover-token").read_text().strip()]

    def handovers(self) -> dict[str, float]:
        """The finished ones that the host keeps, and how long nobody answered in each, by its own figure."""
        return {
            name: max([line.get("result", {}).get("downtime_ms", 0) for line in lines], default=0)
            for name, lines in self._journals().items()
        }

    def journal_points(self) -> set[str]:
        """Every point that a handover on this host has written."""
        return {line["point"] for lines in self._journals().values() for line in lines}

    def _journals(self) -> dict[str, list[dict[str, Any]]]:
        """The lines of each finished handover that the host keeps, by its file's name."""
        finished = (Path(self.lab.box.folder) / "handover" / "finished").glob("*.jsonl")
        return {path.name: [json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in finished}

    def steps(self, active: str) -> list[str]:
        """The resources on which the turn of the switch would act, in the engine's order: from its own preview."""
        today = self.lab.pulumi("config", "get", "active").strip()
        self.lab.set("active", active)
        planned = json.loads(self.lab.pulumi("preview", "--json", "--non-interactive"))
        self.lab.set("active", today)
        return [
            step["urn"].rpartition("::")[2]
            for step in planned["steps"]
            if step["op"] != "same" and (step.get("newState") or step["oldState"]).get("custom")
        ]

    def killed(self, active: str, point: Point, folder: Path) -> bool:
        """Turns the switch and kills the engine (SIGKILL, it alone) at the point. False where the run ended well and
        never was there: a preview cannot know that an input will turn out to be the same, and then nothing acts.
        """
        self.lab.set("active", active)
        log = folder / "events"
        os.mkfifo(log)
        engine = subprocess.Popen(
            [self.lab.engine, *RUN, "--event-log", str(log)],
            cwd=ROOT,
            env={**self.lab.variables, "PULUMI_DEBUG_COMMANDS": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with log.open(encoding="utf-8") as events:
                if not self.until(point, events):
                    assert engine.wait(30) == 0, f"the run ended with an error and never was {point}"
                    return False
        finally:
            engine.send_signal(signal.SIGKILL)
            engine.wait(30)
        return True

    def until(self, point: Point, events: Iterator[str]) -> bool:
        """Reads the engine's events up to the point; False where they end before it."""
        kind = "resOutputsEvent" if point.moment == "after" else "resourcePreEvent"
        for line in events:
            event: dict[str, dict[str, Any]] = json.loads(line)
            metadata: dict[str, Any] = (event.get(kind) or {}).get("metadata") or {}
            if metadata.get("op") not in (None, "same") and metadata["urn"].endswith(f"::{point.resource}"):
                if point.moment == "during":
                    self._until_noted(metadata["urn"])
                return True
        return False

    def _until_noted(self, urn: str) -> None:
        """The engine writes into its state what it begins; a file backend's state is a file."""
        state = self.state_file()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                latest: dict[str, Any] = json.loads(state.read_bytes())["checkpoint"]["latest"]
                pending: list[Any] = latest.get("pending_operations") or []
            except (OSError, ValueError, KeyError):
                continue
            if any(one["resource"]["urn"] == urn for one in pending):
                return
            time.sleep(0.002)

    def state_file(self) -> Path:
        folder = Path(self.lab.variables["PULUMI_BACKEND_URL"].removeprefix("file://"))
        return folder / ".pulumi" / "stacks" / "sentinel-cutover" / f"{STACK}.json"
