"""`make` says what it offers, `make env` prints what a shell can take, and nothing is done twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from console.errors import UserError
from console.paths import ROOT
from ops.engine import environment, sandbox
from ops.engine.run import reason

LOCKED = [
    ROOT / "requirements.lock",
    *sorted((ROOT / "toolchain").glob("*/go.*")),
    *sorted(ROOT.glob("lab/**/package-lock.json")),
    *sorted(ROOT.glob("lab/**/*.lock")),
]


def make(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PULUMI_", "MFLAGS"))}
    return subprocess.run(
        ["make", *words], cwd=ROOT, env=given | variables, capture_output=True, text=True, check=False, timeout=60
    )


def test_help_lists_every_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) - {"venv"}
    assert set(re.findall(r"^make ([a-z-]+) ", make("help").stdout, re.MULTILINE)) == targets


def test_env_prints_shell_lines_and_nothing_else() -> None:
    ran = make("env")
    assert ran.returncode == 0, ran.stderr
    assert all(re.match(r"(export [A-Z_]+=|unset [A-Z_]+$)", line) for line in ran.stdout.splitlines()), ran.stdout
    assert "export PULUMI_STACK=lab" in ran.stdout.splitlines()


def test_env_puts_the_virtual_environment_first_so_that_the_language_host_finds_its_python() -> None:
    path = next(line for line in make("env").stdout.splitlines() if line.startswith("export PATH="))
    assert path.startswith(f"export PATH={ROOT}/.venv/bin:")


def test_another_stack_takes_nothing_that_an_earlier_make_env_left_in_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "STATE", tmp_path / ".state")
    left = environment.variables("lab", {"PATH": "/usr/bin"}) | {"PULUMI_HOME": str(ROOT / ".lab" / "pulumi-home")}
    chosen = environment.variables("elsewhere", left)
    assert ".lab" not in str({name: value for name, value in chosen.items() if name != "PATH"})
    assert chosen["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/.state/elsewhere"


def test_another_stack_keeps_the_operators_own_backend_and_passphrase(tmp_path: Path) -> None:
    given = {
        "PATH": "/usr/bin",
        "PULUMI_BACKEND_URL": "file:///srv/state",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        "PULUMI_HOME": "/srv/pulumi",
    }
    chosen = environment.variables("elsewhere", given)
    assert {name: chosen[name] for name in given if name != "PATH"} == {
        name: value for name, value in given.items() if name != "PATH"
    }


def test_a_mistyped_stack_leaves_no_folder_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "STATE", tmp_path / ".state")
    with pytest.raises(UserError, match="This clone has no state of stack prodd"):
        environment.require_state("prodd", {"PATH": "/usr/bin"})
    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_in_the_shell_does_not_go_before_the_stacks_own_file() -> None:
    given = {"PATH": "/usr/bin", "PULUMI_CONFIG_PASSPHRASE": "of another stack"}
    assert "PULUMI_CONFIG_PASSPHRASE" not in environment.complete("lab", given)
    assert "unset PULUMI_CONFIG_PASSPHRASE" in environment.exports(environment.variables("lab", given))
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in environment.complete("elsewhere", given)


def test_env_gives_a_shell_the_very_values_that_make_uses() -> None:
    shown = subprocess.run(
        ["sh", "-c", 'eval "$(make --silent env)"; exec env -0'], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    seen = dict(line.split("=", 1) for line in shown.split("\0") if "=" in line)
    chosen = environment.variables("lab")
    assert {name: seen.get(name) for name in chosen if name != "PATH"} == {
        name: value for name, value in chosen.items() if name != "PATH"
    }


@pytest.mark.parametrize("name", ["../x", "", ".", "a b", "$(id)"])
def test_what_is_no_name_of_a_stack_is_refused(name: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ops", "env", "--stack", name], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "is no name of a stack" in ran.stderr


def test_a_stack_that_is_named_like_a_package_of_ours_has_no_sandbox() -> None:
    assert [sandbox.of_stack(name) for name in ("ops", "tests", "json", "my-prod")] == [None] * 4


def test_a_passphrase_is_made_once_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "STATE", tmp_path / ".state")
    file = Path(environment.variables("elsewhere", {"PATH": "/usr/bin"})["PULUMI_CONFIG_PASSPHRASE_FILE"])
    made = file.read_text()
    assert len(made) >= 32 and file.stat().st_mode & 0o777 == 0o600
    environment.variables("elsewhere", {"PATH": "/usr/bin"})
    assert file.read_text() == made


def test_a_second_bootstrap_changes_nothing_and_says_nothing() -> None:
    before = (ROOT / ".venv" / ".lock").stat().st_mtime_ns
    ran = subprocess.run([ROOT / "toolchain" / "bootstrap.sh"], capture_output=True, text=True, check=True, timeout=10)
    assert ran.stdout + ran.stderr == ""
    assert (ROOT / ".venv" / ".lock").stat().st_mtime_ns == before


def test_a_stack_that_is_not_there_is_one_sentence_and_no_traceback() -> None:
    ran = make("status", "STACK=nosuchstack", "JSON=1")
    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    assert '"ok": false' in ran.stdout and "nosuchstack" in ran.stdout


@pytest.mark.parametrize("file", LOCKED, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_locked_file_names_a_host_to_download_from(file: Path) -> None:
    """npm's lock names its authors' donation pages; what it would download from stands under `resolved`."""
    source = r'"resolved": "[a-z+]+:' if file.name == "package-lock.json" else r"https?://"
    assert [line for line in file.read_text().splitlines() if re.search(source, line)] == []


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("x\n  error: Volume is in use\nerror: update failed", "Volume is in use."),
        ("error: no stack named 'a' found", "no stack named 'a' found."),
        ("", "it gave no reason; see its output above."),
        (
            ' + c creating error: exit status 1: running "python3 -":\n + c failed\nDiagnostics:\n'
            'x:\n  error: update failed\n\ny:\n    error: exit status 1: running "python3 -":\n    noise\n'
            "    hostctl postgres ready: The database is away.\n    its log\n\nerror: update failed",
            "hostctl postgres ready: The database is away.",
        ),
        ('error: Process exited with status 3: running "a":\n  one\n  why', "why."),
        ('error: exit status 3: running "a":\n\nerror: update failed', 'exit status 3: running "a":.'),
    ],
)
def test_the_engines_error_becomes_one_sentence(said: str, sentence: str) -> None:
    assert reason(said) == sentence
