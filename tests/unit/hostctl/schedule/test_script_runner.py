"""The host's table that runs a script is found; a comment is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostctl.schedule import script_runner


def test_the_table_that_runs_the_script_at_boot_is_found_and_a_comment_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = tmp_path / "crontabs"
    tables.mkdir()
    monkeypatch.setattr(script_runner, "_CRON", (str(tmp_path / "none"), str(tables)))
    monkeypatch.setattr(script_runner, "_UNITS", ())
    (tables / "root").write_text("# @reboot /home/operator/fix-iptables.sh\n")
    assert script_runner.table_naming("/home/operator/fix-iptables.sh") == ""
    (tables / "root").write_text("@reboot /home/operator/fix-iptables.sh\n")
    assert script_runner.table_naming("/home/operator/fix-iptables.sh") == str(tables / "root")
