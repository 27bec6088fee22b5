"""Every lock of Python packages is one that `make locks` writes, and holds what it is made from."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from console.paths import ROOT

SCRIPT = (ROOT / "toolchain" / "locks.sh").read_text(encoding="utf-8")
LOCKS = sorted(
    path
    for path in subprocess.run(
        ["git", "ls-files", "*.lock"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    if Path(path).suffix == ".lock"
)
NAME = r"^[ \t]*([A-Za-z0-9._-]+)"


def made_by_the_script() -> dict[str, list[str]]:
    """Each lock and the requirements that the script gives to it, its loop over folders gone through."""
    made = {
        output: [word for word in words.split() if word.endswith((".in", ".toml"))]
        for output, words in re.findall(r"^lock (\S+) (.*)$", SCRIPT, re.MULTILINE)
    }
    loop = re.search(r"^for name in (.+); do\n\s+\(cd \"(\S+)/\$name\" && lock (\S+) (\S+) ", SCRIPT, re.MULTILINE)
    assert loop is not None
    names, folder, output, given = loop.groups()
    return made | {f"{folder}/{name}/{output}": [f"{folder}/{name}/{given}"] for name in names.split()}


def required(file: str) -> set[str]:
    """The names of the packages that a file of requirements asks for, as a lock writes them."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if file.endswith(".toml"):
        project = tomllib.loads(text)
        wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["lab"]]
        lines = [*wanted, *project["dependency-groups"]["dev"]]
    else:
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {match.group(1).lower().replace("_", "-") for line in lines if (match := re.match(NAME, line))}


def test_the_script_writes_every_lock_and_no_other() -> None:
    assert LOCKS
    assert sorted(made_by_the_script()) == LOCKS


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_says_how_it_is_made_and_pins_what_is_required_by_hashes_without_an_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert text.splitlines()[1] == "#    make locks"
    blocks = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[\w,-]+\])?==(.*(?:\n .*)*)", text, re.MULTILINE))
    wanted_packages = set[str]().union(*map(required, made_by_the_script()[lock]))
    assert wanted_packages and wanted_packages <= set(blocks)
    assert all("--hash=sha256:" in block for block in blocks.values())
    assert "://" not in text
