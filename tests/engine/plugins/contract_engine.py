"""Drives the real engine for the contract suite.

Owns: a project folder and a stack on a file backend; a run's operations in order, its diffs, and the state after it.
Deliberately does not: know whether the plugins are doubles.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "tests/testdata/plugins/program"
_LIMIT_SECONDS = 120

Resources = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Operation:
    """One operation by the engine's events."""

    op: str
    name: str
    replaced_by: list[str]
    """Properties that force the replacement, as far as the plugin names them."""
    differing: list[str]
    detailed: dict[str, str]
    """Path to kind of difference."""


@dataclass(frozen=True)
class Outcome:
    status: int
    operations: list[Operation]
    text: str
    resources: dict[str, dict[str, Any]]
    """State after the run, by name; an operation that is pending deletion is left out."""
    outputs: dict[str, Any]

    def operation(self, name: str) -> Operation:
        """The first operation on the resource, other than none."""
        return next(item for item in self.operations if item.name == name)

    def changed(self) -> list[tuple[str, str]]:
        return [(item.op, item.name) for item in self.operations]


class Stack:
    """One stack; its program registers what the last call named."""

    def __init__(self, folder: Path, home: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._backend = folder / "backend"
        self._project = folder / "project"
        self._backend.mkdir(parents=True)
        shutil.copytree(PROGRAM, self._project)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "DOCKER_"))}
        paths = [str(ROOT / ".venv/bin"), str(ROOT / ".work/toolchain/bin"), os.environ.get("PATH", "")]
        self._environment = kept | {
            "PATH": os.pathsep.join(paths),
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{self._backend}",
            "PULUMI_CONFIG_PASSPHRASE": "the contract suite",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DEBUG_COMMANDS": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
            **environment,
        }
        self._pulumi("stack", "init", "dev")
        self._registered: Resources = {}

    def up(self, resources: Resources, *flags: str) -> Outcome:
        return self._run(resources, "up", "--yes", "--skip-preview", *flags)

    def preview(self, resources: Resources | None = None, *flags: str) -> Outcome:
        return self._run(self._registered if resources is None else resources, "preview", *flags)

    def refresh(self) -> Outcome:
        return self._run(self._registered, "refresh", "--yes", "--skip-preview")

    def destroy(self) -> Outcome:
        return self._run(self._registered, "destroy", "--yes", "--skip-preview")

    def configure(self, key: str, value: str) -> None:
        self._pulumi("config", "set", key, value)

    def write(self, resources: Resources) -> None:
        """The program of the next run."""
        self._registered = resources
        (self._project / "resources.json").write_text(json.dumps(resources))

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """An engine under way, for tests that interrupt it."""
        return subprocess.Popen(
            ["pulumi", *command, "--stack", "dev"],
            cwd=self._project,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def state_text(self) -> str:
        """The state file as it lies on the disk."""
        return (self._backend / ".pulumi/stacks/contract/dev.json").read_text()

    def _run(self, resources: Resources, *command: str) -> Outcome:
        self.write(resources)
        log = self.folder / "events.json"
        log.unlink(missing_ok=True)
        ran = self._pulumi(*command, "--non-interactive", "--color", "never", "--event-log", str(log), check=False)
        events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        state: Any = json.loads(self.state_text())["checkpoint"]["latest"]
        found: list[Any] = state.get("resources", []) if state else []
        # Not always the first: the provider of an invoke may be registered before the stack itself.
        stacks: list[dict[str, Any]] = [item for item in found if item["type"] == "pulumi:pulumi:Stack"]
        return Outcome(
            status=ran.returncode,
            operations=[_operation(event["resourcePreEvent"]["metadata"]) for event in events if _is_operation(event)],
            text=ran.stdout + ran.stderr,
            resources={_name(item["urn"]): item for item in found if not item.get("delete")},
            outputs=stacks[0].get("outputs", {}) if stacks else {},
        )

    def _pulumi(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        stack = [] if words[:2] == ("stack", "init") else ["--stack", "dev"]
        return subprocess.run(
            ["pulumi", *words, *stack],
            cwd=self._project,
            env=self._environment,
            check=check,
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
        )


def error_lines(text: str) -> list[str]:
    """The lines of a resource's error, as a run shows them at its end."""
    lines = [line.strip() for line in text.split("Diagnostics:")[-1].splitlines()]
    errors = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    first = next(number for number in errors if lines[number] != "error: update failed")
    until = next((number for number in range(first, len(lines)) if not lines[number]), len(lines))
    return [lines[first].removeprefix("error: "), *lines[first + 1 : until]]


def _is_operation(event: dict[str, Any]) -> bool:
    metadata = event.get("resourcePreEvent", {}).get("metadata")
    if metadata is None or metadata["op"] in ("same", "refresh", "read"):
        return False
    return metadata["type"].startswith(("docker:", "command:"))


def _operation(metadata: dict[str, Any]) -> Operation:
    detailed: dict[str, Any] = metadata.get("detailedDiff") or {}
    return Operation(
        op=metadata["op"],
        name=_name(metadata["urn"]),
        replaced_by=sorted(metadata.get("keys") or []),
        differing=sorted(metadata.get("diffs") or []),
        detailed={path: difference["diffKind"] for path, difference in detailed.items()},
    )


def _name(urn: str) -> str:
    return urn.split("::")[-1]
