"""The host's table that runs a script, and the user as whom it does; a comment is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hostctl.schedule import script_runner, work_tree

SCRIPT = "/home/operator/fix-iptables.sh"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose tables are all below one folder."""
    monkeypatch.setattr(script_runner, "_WITH_USER", str(tmp_path / "crontab"))
    monkeypatch.setattr(script_runner, "CRON_FOLDER", str(tmp_path / "cron.d"))
    monkeypatch.setattr(script_runner, "_SPOOL", str(tmp_path / "spool" / "crontabs"))
    monkeypatch.setattr(script_runner, "_AS_ROOT", (str(tmp_path / "rc.local"),))
    monkeypatch.setattr(script_runner, "_UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(script_runner, "_homes", lambda: [str(tmp_path / "home")])
    return tmp_path


@pytest.mark.parametrize(
    ("table", "text", "user"),
    [
        ("crontab", f"17 4 * * * operator {SCRIPT}\n", "operator"),
        ("crontab", f"@reboot root sh {SCRIPT}\n", "root"),
        ("cron.d/firewall", f"PATH=/bin\n@reboot root {SCRIPT} > /dev/null\n", "root"),
        ("spool/crontabs/operator", f"@reboot {SCRIPT}\n", "operator"),
        ("spool/crontabs/root", f"@reboot {SCRIPT}\n", "root"),
        ("rc.local", f"#!/bin/sh\n{SCRIPT}\n", "root"),
        ("units/fix.service", f"[Service]\nExecStart={SCRIPT}\n", "root"),
        ("units/fix.service", f"[Service]\nUser=operator\nExecStart={SCRIPT}\n", "operator"),
        ("home/.config/systemd/user/fix.service", f"[Service]\nExecStart={SCRIPT}\n", "root"),
    ],
)
def test_the_table_and_its_user_are_found_and_a_comment_is_none(host: Path, table: str, text: str, user: str) -> None:
    path = host / table
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"# {line}\n" for line in text.splitlines()))
    assert script_runner.of(SCRIPT) is None
    path.write_text(text)
    if os.geteuid() and "home" in table:
        user = path.owner()
    assert script_runner.of(SCRIPT) == script_runner.Runner(str(path), user)


def test_a_line_without_a_command_is_no_error(host: Path) -> None:
    (host / "crontab").write_text(f"{SCRIPT}\n@reboot {SCRIPT}\n")
    assert script_runner.table_naming(SCRIPT) == str(host / "crontab")


def test_a_script_counts_as_gits_once_git_tracks_it(tmp_path: Path) -> None:
    script = tmp_path / "code" / "deep" / "fix.sh"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    top = str(tmp_path / "code")
    assert work_tree.tracking(str(script)) == ""
    subprocess.run(["git", "init", "-q", top], check=True)
    assert work_tree.tracking(str(script)) == ""
    subprocess.run(["git", "-C", top, "add", "."], check=True)
    assert work_tree.tracking(str(script)) == top
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run(["git", "-C", top, *identity, "commit", "-qm", "x"], check=True)
    linked = tmp_path / "linked"
    subprocess.run(["git", "-C", top, "worktree", "add", "-q", str(linked)], check=True)
    assert work_tree.tracking(str(linked / "deep" / "fix.sh")) == str(linked)
