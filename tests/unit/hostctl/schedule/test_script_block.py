"""The operator's script keeps every byte that is not ours, and what is no script is left alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostctl.core.errors import Refusal
from hostctl.schedule import script_block
from hostctl.schedule.script_block import Block

AT_START = Block("firewall", "echo one\n", at_start=True)
AT_END = Block("nightly", "echo two")
SCRIPT = "#!/bin/sh\n# What it is for.\nset -eu\nexit 0\n"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.sh"
    path.write_text(SCRIPT)
    path.chmod(0o750)
    return path


def put(path: Path, block: Block = AT_START) -> script_block.Outcome:
    return script_block.put(str(path), block, str(path.parent / "copy"))


def take(path: Path, block: Block = AT_START) -> script_block.Outcome:
    return script_block.take(str(path), block, str(path.parent / "copy"))


def test_a_block_for_the_start_stands_below_the_opening_comment_and_before_the_first_command(script: Path) -> None:
    assert put(script).reason == "the block was written"
    assert script.read_text() == f"#!/bin/sh\n# What it is for.\n{AT_START.text}set -eu\nexit 0\n"
    assert stat.S_IMODE(script.stat().st_mode) == 0o750


def test_the_copy_is_of_the_script_before_any_block_of_ours(script: Path) -> None:
    put(script)
    put(script, Block("firewall", "echo other"))
    assert (script.parent / "copy").read_text() == SCRIPT
    assert stat.S_IMODE((script.parent / "copy").stat().st_mode) == 0o600


def test_the_same_again_writes_nothing_and_says_why(script: Path) -> None:
    put(script)
    inode = script.stat().st_ino
    again = put(script)
    assert (again.changed, again.reason) == (False, "the script holds the block already")
    assert script.stat().st_ino == inode


def test_another_body_stands_where_the_former_stood(script: Path) -> None:
    put(script)
    script.write_text(script.read_text().replace("exit 0", "exit 1"))
    put(script, Block("firewall", "echo other"))
    assert (
        script.read_text() == f"#!/bin/sh\n# What it is for.\n{Block('firewall', 'echo other').text}set -eu\nexit 1\n"
    )


def test_taken_out_the_script_and_its_folder_are_as_before(script: Path) -> None:
    put(script)
    assert take(script).reason == "the block was taken out"
    assert (script.read_text(), os.listdir(script.parent)) == (SCRIPT, ["script.sh"])
    assert take(script).changed is False


def test_what_somebody_added_meanwhile_stays_and_so_does_the_copy(script: Path) -> None:
    put(script)
    script.write_text(script.read_text() + "echo added\n")
    assert take(script).copy == str(script.parent / "copy")
    assert script.read_text() == SCRIPT + "echo added\n"


def test_a_missing_script_is_made_to_be_run_and_goes_again(script: Path) -> None:
    script.unlink()
    assert put(script).reason == "the script was made"
    assert script.read_text().startswith("#!/bin/sh\n# >>> sentinel-cutover: firewall")
    assert stat.S_IMODE(script.stat().st_mode) == 0o755
    take(script)
    assert not script.exists()


def test_two_blocks_of_different_names_do_not_touch_each_other(script: Path) -> None:
    put(script)
    script_block.put(str(script), AT_END, str(script.parent / "other"))
    take(script)
    assert script.read_text() == SCRIPT + AT_END.text


@given(
    rest=st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(lambda text: ">>>" not in text),
    at_start=st.booleans(),
)
def test_out_again_gives_back_every_byte(rest: str, at_start: bool) -> None:
    block = Block("firewall", "echo one", at_start)
    for text in (f"#!/bin/sh\n{rest}", "#!/bin/sh"):
        with_it = script_block.with_block(text, block, "script")
        assert script_block.held(with_it, block, "script")
        assert script_block.without_block(with_it, block, "script") == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"#!/usr/bin/python3\nprint()\n", "is not a shell script (its first line names none of sh, bash,"),
        (b"\x7fELF\0\0", "is not a shell script"),
        (b"set -eu\n", "is not a shell script"),
        (b"", "is not a shell script"),
        (b"#!/bin/sh\nif true\n", "is not a script that its shell can parse ("),
        (f"#!/bin/sh\n{AT_START.begin}\n".encode(), "marker lines of the block 'firewall' in"),
        (f"#!/bin/sh\n{AT_START.end}\n{AT_START.begin}\n".encode(), "are broken: there must be one line"),
        (f"#!/bin/sh\n{AT_START.text}{AT_START.text}".encode(), "are broken"),
        (f"#!/bin/sh\n  {AT_START.begin}\n{AT_START.end}\n".encode(), "are broken"),
    ],
    ids=["python", "binary", "no-shebang", "empty", "syntax", "no-end", "end-first", "twice", "moved"],
)
def test_what_cannot_be_edited_safely_is_refused_and_left(script: Path, content: bytes, reason: str) -> None:
    script.write_bytes(content)
    with pytest.raises(Refusal) as refused:
        put(script)
    assert reason in str(refused.value)
    assert str(refused.value).endswith("it was left as it is")
    assert (script.read_bytes(), os.listdir(script.parent)) == (content, ["script.sh"])


@pytest.mark.parametrize(
    "first",
    [
        "#!/bin/bash -eu", "#! /usr/bin/env bash", "#!/usr/local/bin/dash", "#!/bin/sh", "#!/usr/bin/env -S bash -eu",
        "#!/usr/bin/env -S /bin/bash", "#!/bin/busybox sh", "#!/usr/bin/busybox ash -e",
    ],
)  # fmt: skip
def test_every_shell_of_the_list_is_taken(script: Path, first: str) -> None:
    script.write_text(f"{first}\ntrue\n")
    assert put(script).changed is True


def test_a_write_between_reading_and_renaming_is_not_lost(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = script_block._require_syntax  # pyright: ignore[reportPrivateUsage]

    def meanwhile(text: str, path: str) -> None:
        real(text, path)
        script.write_text(SCRIPT + "echo late\n")

    monkeypatch.setattr(script_block, "_require_syntax", meanwhile)
    with pytest.raises(Refusal, match="changed while it was edited: run again"):
        put(script)
    assert script.read_text() == SCRIPT + "echo late\n"
