"""Sealed copies of a state on its host: kept whole, rotated, given back byte by byte."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from hostctl.core.errors import Refusal
from hostctl.stack import copies
from hostctl.stack.copies import CopyRequest, KeepRequest


def kept(folder: Path, number: int) -> str:
    name = f"prod-20261126T0317{number:02d}Z.sealed"
    content = base64.b64encode(f"sealed {number}".encode()).decode()
    copies.keep(KeepRequest(str(folder), name, content))
    return name


def test_a_copy_comes_back_as_it_was_and_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        name = kept(tmp_path, 1)
    finally:
        os.umask(before)
    assert base64.b64decode(copies.copy(CopyRequest(str(tmp_path), name))["content"]) == b"sealed 1"
    file = tmp_path / copies.FOLDER / name
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_ten_copies_are_kept_newest_first(tmp_path: Path) -> None:
    names = [kept(tmp_path, number) for number in range(12)]
    assert [row["name"] for row in copies.listed(str(tmp_path))] == names[:1:-1]


def test_the_copy_just_written_stays_also_where_the_others_are_of_the_future(tmp_path: Path) -> None:
    for number in range(20, 31):
        kept(tmp_path, number)
    name = kept(tmp_path, 1)
    listed = [row["name"] for row in copies.listed(str(tmp_path))]
    assert name in listed and len(listed) == copies.KEPT


@pytest.mark.parametrize("name", ["../stack.json", "a/b.sealed", "prod.json", ""])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="'name' is no name of a copy"):
        CopyRequest(str(tmp_path), name)


def test_a_copy_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="there is no copy prod-1"):
        copies.copy(CopyRequest(str(tmp_path), "prod-1.sealed"))
