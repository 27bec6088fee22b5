"""The build of the engine and the Python language host from their Go modules, where they cannot be downloaded.

Two small modules of ours, `engine/` and `languagehost/`, pin the versions, and their go.sum verifies the sources.
Measured: engine 5 min, language host 1 min on 2 cores, from nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from console.errors import UserError
from console.progress import Step
from toolchain.download import put
from toolchain.parts import BIN, ENGINE_VERSION, EXEC_SCRIPT

HERE = Path(__file__).resolve().parent
SDK = "github.com/pulumi/pulumi/sdk/v3"
# From 1.21 on a Go fetches the newer one that go.mod asks for by itself, as a module.
OLDEST_GO = (1, 21)


def engine(step: Step, into: Path = BIN) -> None:
    """Build `pulumi`; a second run finds what an interrupted one compiled in Go's own cache."""
    _build("engine", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "pulumi", into, step)


def language_host(step: Step, into: Path = BIN) -> None:
    """Build `pulumi-language-python` and put its script, from the SDK's module of the engine's version, beside it."""
    step.say("copying the exec script")
    go = find_go() or install_go(step)
    step.call([go, "mod", "download", SDK], folder=HERE / "engine", environment=_switching())
    listed = subprocess.run(
        [go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", SDK],
        cwd=HERE / "engine",
        env={**os.environ, **_switching()},
        capture_output=True,
        text=True,
        check=True,
    )
    into.mkdir(parents=True, exist_ok=True)
    script = Path(listed.stdout.strip()) / "python" / "cmd" / EXEC_SCRIPT.executable
    with script.open("rb") as content:
        put(content, into / EXEC_SCRIPT.executable)
    host = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
    _build("languagehost", host, "pulumi-language-python", into, step)


def find_go() -> Path | None:
    """A Go that suffices: in PATH, or where it is usually unpacked."""
    places = [shutil.which("go"), "/usr/local/go/bin/go", *map(str, sorted(Path("/usr/lib").glob("go-*/bin/go")))]
    for place in places:
        if place and Path(place).exists() and go_version(Path(place)) >= OLDEST_GO:
            return Path(place)
    return None


def go_version(go: Path) -> tuple[int, ...]:
    """The version of a Go, (0,) when it prints none: `go version go1.26.8 linux/amd64` -> (1, 26)."""
    ran = subprocess.run([go, "version"], capture_output=True, text=True, check=False)
    match = re.search(r"\bgo(\d+)\.(\d+)", ran.stdout)
    return (int(match[1]), int(match[2])) if match else (0,)


def install_go(step: Step) -> Path:
    """Debian's Go by apt-get, as root and where its version suffices; UserError with one sentence otherwise."""
    offered = _offered_go()
    if offered >= OLDEST_GO and os.geteuid() == 0:
        step.say("installing Debian's golang-go")
        step.call(
            ["apt-get", "install", "-y", "--no-install-recommends", "golang-go"],
            environment={"DEBIAN_FRONTEND": "noninteractive"},
        )
        go = find_go()
        if go:
            return go
    if offered >= OLDEST_GO:
        raise UserError(
            "The engine cannot be downloaded here and building it needs Go: run `apt-get install golang-go` as root, "
            "then the same command again."
        )
    raise UserError(
        f"Pulumi {ENGINE_VERSION} cannot be downloaded here and building it needs Go "
        f"{'.'.join(map(str, OLDEST_GO))} or newer: install one of the two (https://go.dev/doc/install), then run the "
        "same command again."
    )


def _offered_go() -> tuple[int, ...]:
    """The version that apt would install: `Candidate: 2:1.24~2` -> (1, 24)."""
    if not shutil.which("apt-cache"):
        return (0,)
    ran = subprocess.run(["apt-cache", "policy", "golang-go"], capture_output=True, text=True, check=False)
    match = re.search(r"Candidate: (?:\d+:)?(\d+)\.(\d+)", ran.stdout)
    return (int(match[1]), int(match[2])) if match else (0,)


def _build(module: str, package: str, executable: str, into: Path, step: Step) -> None:
    go = find_go() or install_go(step)
    into.mkdir(parents=True, exist_ok=True)
    unfinished = into / f".{executable}.building"
    linking = ("-ldflags", f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={ENGINE_VERSION}")
    # No `go mod download` before: it requests more of each module than a build needs, and not every proxy has it.
    step.say("fetching Go modules and compiling")
    step.call(
        [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", *linking, "-o", str(unfinished), package],
        folder=HERE / module,
        environment=_switching(),
    )
    unfinished.replace(into / executable)


def _switching() -> dict[str, str]:
    """Variables for binaries that need no C library; Go may fetch the newer version that go.mod requires."""
    return {"GOTOOLCHAIN": "auto", "CGO_ENABLED": "0"}
