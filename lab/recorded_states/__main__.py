"""`python -m lab.recorded_states`: records the lab's stack at three moments (`tests/engine/test_recorded_states.py`).

        staged        ContextForge serves, Sentinel in standby, nothing was ever cut over
        cut_over      Sentinel serves
        rolled_back   ContextForge serves again

It destroys what the stack deployed, deploys it three times and, at the end, as the configuration was before
(some ten minutes). Each moment becomes `tests/testdata/states/MOMENT.json`, an exported deployment, and `MOMENT.yaml`,
the configuration with which it was made.

Owns: the order of the moments, and which secrets and paths are replaced.
Deliberately does not: write a file in which anything of the real ones is left (scrub.py refuses).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

from console.errors import UserError
from console.paths import LOGS, ROOT
from console.progress import Progress
from lab.box import Place
from lab.recorded_states.fixed import FOLDER, SOCKET, STATES, secret
from lab.recorded_states.scrub import Deployment, refuse_leaks, scrubbed
from ops.engine import environment, prerequisites

STACK = "lab"
CONFIGURATION = ROOT / f"Pulumi.{STACK}.yaml"
PREFIX = "sentinel-cutover:"
_LIMIT_SECONDS = 900
_QUIET = ("--yes", "--skip-preview", "--non-interactive", "--color", "never")


@dataclass(frozen=True)
class Recorder:
    """The lab's stack, brought to each moment and exported there."""

    variables: Mapping[str, str]
    progress: Progress

    def record_all(self) -> None:
        before = CONFIGURATION.read_text(encoding="utf-8")
        try:
            self._pulumi("destroy", *_QUIET)
            self._pulumi("config", "set", "active", "contextforge")
            self._ops("up")
            self._record("staged")
            self._pulumi("config", "set", "active", "sentinel")
            self._ops("up")
            self._record("cut_over")
            self._ops("rollback")
            self._record("rolled_back")
        finally:
            CONFIGURATION.write_text(before, encoding="utf-8")
        self._ops("up")

    def _record(self, moment: str) -> None:
        deployment: Deployment = json.loads(self._pulumi("stack", "export", "--show-secrets"))
        shown = json.loads(self._pulumi("config", "--show-secrets", "--json"))
        real = {key.removeprefix(PREFIX): one["value"] for key, one in shown.items() if one["secret"]}
        secrets = {value: secret(key) for key, value in real.items()}
        paths = self._paths()
        state = json.dumps(scrubbed(deployment, secrets, paths), indent=1, ensure_ascii=False) + "\n"
        text = yaml.safe_dump(self._configuration(set(real), paths), sort_keys=False, allow_unicode=True, width=120)
        refuse_leaks(text, [*secrets, *paths])
        STATES.mkdir(parents=True, exist_ok=True)
        (STATES / f"{moment}.json").write_text(state, encoding="utf-8")
        (STATES / f"{moment}.yaml").write_text(text, encoding="utf-8")
        self.progress.line(f"recorded {moment}: {len(deployment['deployment']['resources'])} resources")

    def _paths(self) -> dict[str, str]:
        """Of this machine; the longest is replaced first (scrub.py)."""
        place = Place()
        return {
            str(place.docker_socket): SOCKET,
            str(place.run): f"{FOLDER}/run",
            str(place.host): FOLDER,
            str(place.folder): f"{FOLDER}/lab",
            str(place.root): f"{FOLDER}/repository",
            place.name: "lab-recorded",
            place.vps: "vps-recorded",
            place.wan: "wan-recorded",
        }

    def _configuration(self, secret_keys: set[str], paths: Mapping[str, str]) -> dict[str, Any]:
        """`config` as it stands in the stack's file, and the names of the keys that are secrets."""
        plain: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))["config"]
        kept = {key: value for key, value in plain.items() if key.removeprefix(PREFIX) not in secret_keys}
        text = json.dumps(kept)
        for old in sorted(paths, key=len, reverse=True):
            text = text.replace(old, paths[old])
        return {"config": cast("dict[str, Any]", json.loads(text)), "secrets": sorted(secret_keys)}

    def _pulumi(self, *arguments: str) -> str:
        return self._run("pulumi", *arguments, "--stack", STACK)

    def _ops(self, command: str) -> None:
        self.progress.line(f"make {command}")
        self._run(sys.executable, "-m", "ops", command, "--stack", STACK, "--json", "--yes")

    def _run(self, *argv: str) -> str:
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env=dict(self.variables),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_SECONDS,
        )
        if done.returncode:
            raise UserError(f"`{' '.join(argv[-4:])}` failed while states were recorded: {done.stderr[-2000:]}")
        return done.stdout


def main() -> None:
    progress = Progress(LOGS)
    prerequisites.make_ready(STACK, progress)
    Recorder(environment.complete(STACK), progress).record_all()


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
