"""`claude record|apply|restore|forget`: Claude's MCP entry, changed and restored without touching another byte.

Owns: our entry in Claude's file, the predecessor's entry while Sentinel serves, and the record (the program that prints
Claude's header is `header.py`'s). Deliberately does not: reformat the file, write the token, touch a file that is
broken, or return anything from the record: a token stays on the host, and only the record's hash is known elsewhere.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from hostctl.claude_client import applied, editable, header, other_entries
from hostctl.claude_client.record import (
    COPY,
    LOCK,
    RECORD,
    capture,
    load,
    make_folder,
    owner_of,
    put_token_back,
    read_file,
    reference,
    save,
    sealed,
    token_before,
)
from hostctl.claude_client.request import EntryRequest, Place
from hostctl.core import json_file
from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.core.lock import held


def record(place: Place) -> dict[str, Any]:
    """Record Claude's file and token file, once. {"record": {"path", "sha256"}, "kept", "reason"}

    It comes before the handover: raises Refusal for a file that could not be edited after it.
    """
    make_folder(place)
    with held(place.folder, "claude record"):
        editable.require_editable(place.file)
        previous = load(place)
        other_entries.record(place)
        if previous is not None:
            if not place.replaces:
                other_entries.retire(place)
            return {"record": reference(place, previous), "kept": True, "reason": "recorded before"}
        new = sealed(
            {
                "identity": place.identity,
                "found": capture(read_file(place.file), place),
                "token": token_before(place.token_file),
            }
        )
        save(place, new)
    return {"record": reference(place, new), "kept": False, "reason": "recorded now"}


def apply(place: EntryRequest) -> dict[str, Any]:
    """Put our entry into the file: only that member changes, and the predecessor's is absent while Sentinel serves."""
    make_folder(place)
    with held(place.folder, "claude apply"):
        before = load(place)
        if before is None:
            raise Refusal(f"no record of Claude's entry is in {place.folder}: run 'claude record' first")
        _own_new_token(place, before)
        header.install(place)
        changed = applied.put(place, before, place.value)
        left = other_entries.apply(place, place.value)
    reason = "written" if changed else "the entry is as declared already"
    return {"file": place.file, "entry": place.entry, "changed": changed, "reason": reason, **_with_left(left)}


def restore(place: Place) -> dict[str, Any]:
    """Restore the recorded entries: the whole file when nobody else changed it, else our part of it only."""
    known = place.record
    if not os.path.isdir(place.folder) and not known:
        return {"file": place.file, "changed": False, "reason": "nothing was recorded", "token": "as it was"}
    make_folder(place)
    with held(place.folder, "claude restore"):
        before = load(place)
        if before is None and known and capture(read_file(place.file), place)["ours"] is not None:
            raise Refusal(
                f"the record of Claude's entry, {place.within(RECORD)} (sha256 {known.get('sha256')}), is gone: put it "
                f"back from a backup, or take the entry {place.entry} out of {place.file} and write the former one and "
                f"its token by hand; then run again"
            )
        return _restored(place, before)


def forget(place: Place) -> dict[str, Any]:
    """Restore the recorded entries, then remove the record and the copy; the program for the header stays."""
    answer = restore(place)
    json_file.remove(place.folder, RECORD, COPY, LOCK)
    return answer


def _restored(place: Place, before: dict[str, Any] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"file": place.file, "changed": False, "reason": "nothing was recorded"}
    if before is None:
        return {**answer, "token": "as it was"}
    left = other_entries.restore(place)
    answer["reason"] = "nothing was applied"
    if before.get("begun"):
        answer["changed"] = applied.take_out(place, before)
        answer["reason"] = "put back" if answer["changed"] else "the entries are as recorded already"
    answer["token"] = put_token_back(place, table(before["token"]), place.issuer)
    return {**answer, **_with_left(left)}


def _with_left(sentences: list[str]) -> dict[str, Any]:
    """The other entries that could not be edited: reported, and no reason to stop once the port has moved."""
    for sentence in sentences:
        print(f"warning: {sentence}", file=sys.stderr)
    return {"left": sentences} if sentences else {}


def _own_new_token(place: Place, before: dict[str, Any]) -> None:
    """Give a token file that was made for Claude the owner of the recorded one, or else the owner of Claude's file."""
    if os.geteuid() != 0 or not os.path.exists(place.token_file):
        return
    recorded = table(before["token"])
    if not recorded.get("exists"):
        os.chown(place.token_file, *owner_of(place.file), follow_symlinks=False)
    elif os.lstat(place.token_file).st_uid == 0 != recorded["uid"]:
        os.chown(place.token_file, recorded["uid"], recorded["gid"], follow_symlinks=False)
