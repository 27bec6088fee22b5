"""Crontabs and units of others, whatever their grammar allows, are read or passed over."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from hostctl.schedule import script_runner
from tests.soak import SOAK

SCRIPT = "/home/operator/fix iptables.sh"
FIELD = st.sampled_from(["*", "*/5", "0-59/2", "1,31", "MON-FRI", "jan", "7"])
COMMAND = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=20)
TIMES = st.one_of(
    st.lists(FIELD, min_size=5, max_size=5).map(" ".join), st.sampled_from(["@reboot", "@daily", "@every_minute"])
)
CRON_LINE = st.one_of(
    st.tuples(TIMES, st.sampled_from(["", "root ", "operator "]), COMMAND).map(
        lambda parts: f"{parts[0]} {parts[1]}{parts[2]}"
    ),
    st.sampled_from(
        ["# a comment", "", "MAILTO=", 'PATH="/bin:/usr/bin"', "SHELL = /bin/sh", "\t", "% %", "-*/5 * * * * quiet"]
    ),
)
UNIT_LINE = st.one_of(
    st.sampled_from(
        [
            "[Unit]",
            "[Service]",
            "[Install",
            "]",
            "; a comment",
            "ExecStart=",
            "ExecStart=-@/bin/sh sh -c '",
            "X-Own = %i \\",
        ]
    ),
    COMMAND.map("ExecStart={}".format),
)
TABLE = st.lists(
    st.one_of(CRON_LINE, UNIT_LINE, st.just(f"@reboot {SCRIPT}"), st.just(f"#@reboot {SCRIPT}")), max_size=6
)
NO_OTHERS: dict[str, Any] = {
    "_WITH_USER": "/none", "CRON_FOLDER": "/none", "_SPOOL": "/none/none", "_AS_ROOT": (), "_UNITS": "/none",
    "_homes": list,
}  # fmt: skip
"""This machine's own tables."""
FOREIGN = st.one_of(TABLE.map(lambda lines: "\n".join(lines).encode()), st.binary(max_size=40))


@settings(deadline=None, max_examples=2000 if SOAK else 200, database=None)
@given(st.dictionaries(st.sampled_from(["a", ".b", "c~", "d.service", "e.timer"]), FOREIGN, max_size=3))
def test_any_table_of_others_is_read_and_the_first_that_runs_the_script_is_named(tables: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        top = Path(folder)
        (top / "folder").mkdir()
        (top / "broken").symlink_to("nowhere")
        os.mkfifo(top / "a-pipe")
        for name, content in tables.items():
            (top / name).write_bytes(content)
        with mock.patch.multiple(script_runner, **NO_OTHERS):
            found = script_runner.table_naming(SCRIPT, folder)
    running = [name for name in sorted(tables) if any(map(_runs, tables[name].decode(errors="replace").split("\n")))]
    assert found == (str(top / running[0]) if running else "")


def _runs(line: str) -> bool:
    return os.path.basename(SCRIPT) in line and not line.lstrip().startswith("#")
