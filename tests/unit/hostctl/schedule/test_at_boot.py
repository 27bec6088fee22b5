"""The entry that the host runs after a boot: cron's file and systemd's unit, put, found changed, and taken."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hostctl.core.documents import Document
from hostctl.core.errors import Refusal
from hostctl.schedule import at_boot, systemd

WORDS = ["python3", "-I", "-S", "/opt/100% ours/hostctl.pyz", "reboot-check", "check"]


def entry(folder: Path, trigger: str = "cron", stdin: str = "/opt/asked.json") -> at_boot.BootEntry:
    document = Document({"trigger": trigger, "cron_folder": str(folder), "unit_folder": str(folder)})
    return at_boot.of(document, WORDS, stdin)


def test_crons_line_runs_as_root_and_a_percent_sign_does_not_end_it(tmp_path: Path) -> None:
    found = entry(tmp_path)
    *above, line = found.text.splitlines()
    assert any(one.startswith("PATH=") and "/usr/sbin" in one for one in above)
    assert line == (
        r"@reboot root python3 -I -S '/opt/100\% ours/hostctl.pyz' reboot check < /opt/asked.json > /dev/null"
    )


def test_it_is_put_once_and_a_change_by_somebody_else_is_told_and_mended(tmp_path: Path) -> None:
    found = entry(tmp_path)
    assert "cannot be read" in at_boot.problem(found)
    assert [at_boot.put(found), at_boot.put(found)] == ["written", "as asked already"]
    assert at_boot.problem(found) == ""
    Path(found.path).write_text("# not any more\n")
    assert at_boot.problem(found) == f"{found.path} was changed"
    assert at_boot.put(found) == "written"
    assert [at_boot.take(found), at_boot.take(found)] == [True, False]
    assert list(tmp_path.iterdir()) == []


def test_a_host_without_the_folder_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"has no folder .*gone, so nothing could run after a boot: install cron"):
        at_boot.put(entry(tmp_path / "gone"))


def test_auto_takes_systemd_exactly_where_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "RUNS", str(tmp_path))
    assert entry(tmp_path, "auto").kind == "systemd"
    monkeypatch.setattr(systemd, "RUNS", str(tmp_path / "gone"))
    assert entry(tmp_path, "auto").kind == "cron"
    with pytest.raises(Refusal, match=r"'trigger' .* must be auto, systemd or cron"):
        entry(tmp_path, "upstart")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not in PATH")
def test_systemd_itself_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    found = entry(tmp_path, "systemd")
    Path(found.path).write_text(found.text)
    done = subprocess.run(["systemd-analyze", "verify", found.path], capture_output=True, text=True)
    assert found.path not in done.stderr, done.stderr


def test_the_unit_is_switched_on_and_off_by_systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, log = tmp_path / "bin" / "systemctl", tmp_path / "log"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    units = tmp_path / "units"
    units.mkdir()
    found = entry(units, "systemd")
    assert "StandardInput=file:/opt/asked.json\n" in found.text
    assert "ExecStart=/usr/bin/env python3 -I -S '/opt/100%% ours/hostctl.pyz' reboot check\n" in found.text
    assert at_boot.put(found) == "written"
    assert at_boot.take(found) is True
    name = f"{at_boot.NAME}.service"
    assert log.read_text().splitlines() == ["daemon-reload", f"enable {name}", f"disable {name}", "daemon-reload"]


def test_a_systemctl_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program: Any = tmp_path / "systemctl"
    program.write_text("#!/bin/sh\necho 'Access denied' >&2; exit 4\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(Refusal, match=r"systemctl daemon-reload failed \(Access denied\)"):
        at_boot.put(entry(tmp_path, "systemd"))
