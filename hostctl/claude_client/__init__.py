"""`claude record|keep|apply|restore|forget`: Claude's MCP entry, changed and restored without touching another byte.

Owns: our entry in Claude's file, the predecessor's entry while Sentinel serves, the program that prints Claude's
header, and the record. Deliberately does not: reformat the file, write the token, touch a file that is broken, or
return anything from the record: a token stays on the host, and only the record's hash is known elsewhere.
Claude rewrites its file at any moment, so each change compares the file right before the rename, and starts over when
it differs.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from typing import Any

from hostctl.claude_client.entry import require_only_entries_differ, with_entry, without_entry
from hostctl.claude_client.record import (
    COPY,
    HELPER,
    LOCK,
    RECORD,
    capture,
    copy_of,
    digest_of,
    load,
    put_token_back,
    read_file,
    reference,
    save,
    sealed,
    token_before,
)
from hostctl.claude_client.request import EntryRequest, Place
from hostctl.core import atomic_file
from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.core.lock import held

ATTEMPTS = 20
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
_HELPER = """#!/bin/sh
# Claude Code runs this at every connect (headersHelper) and sends the header that it prints.
set -eu
token=$(cat {path})
case "$token" in '' | *[!A-Za-z0-9._~+/=-]*) echo {path}' holds no token' >&2; exit 1 ;; esac
printf '{{"Authorization":"Bearer %s"}}\\n' "$token"
"""


class _Changed(Exception):
    """The file has changed since it was read."""


def record(place: Place) -> dict[str, Any]:
    """Record Claude's file and token file, once. {"record": {"path", "sha256"}, "kept", "reason"}"""
    _make_folder(place)
    with held(place.folder, "claude record"):
        previous = load(place)
        if previous is not None:
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


def keep(place: Place) -> dict[str, Any]:
    """Return the record's reference again, as `record` does."""
    return record(place)


def apply(place: EntryRequest) -> dict[str, Any]:
    """Put our entry into the file: only that member changes, and the predecessor's is absent while Sentinel serves."""
    _make_folder(place)
    with held(place.folder, "claude apply"):
        before = load(place)
        if before is None:
            raise Refusal(f"no record of Claude's entry is in {place.folder}: run 'claude record' first")
        _own_new_token(place, before)
        entry = _entry(place)
        _write_helper(place)
        was_begun = bool(before.get("begun"))

        def change(text: str | None) -> str | None:
            present = capture(text, place)
            replaced_again = present["theirs"] is not None and present["ours"] is None
            new = with_entry(text, place, entry)
            if new != text:
                require_only_entries_differ(text, new, place, entry)
                if replaced_again or not was_begun:
                    before["found"], before["before"] = present, digest_of(text)
                    before["begun"], before["applied"] = True, digest_of(new)
                    save(place, before, text)
                elif digest_of(text) == before.get("applied"):
                    before["applied"] = digest_of(new)
                    save(place, before)
            return new

        changed = _rewrite(place, change)
    reason = "written" if changed else "the entry is as declared already"
    return {"file": place.file, "entry": place.entry, "changed": changed, "reason": reason}


def restore(place: Place) -> dict[str, Any]:
    """Restore the recorded entries: the whole file when nobody else changed it, else our part of it only."""
    known = place.record
    if not os.path.isdir(place.folder) and not known:
        return {"file": place.file, "changed": False, "reason": "nothing was recorded", "token": "as it was"}
    _make_folder(place)
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
    """Restore the recorded entries, then remove the record, the copy and the helper."""
    answer = restore(place)
    for name in (RECORD, COPY, HELPER, LOCK):
        if os.path.lexists(place.within(name)):
            os.unlink(place.within(name))
    if os.path.isdir(place.folder) and not os.listdir(place.folder):
        os.rmdir(place.folder)
    return answer


def _restored(place: Place, before: dict[str, Any] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"file": place.file, "changed": False, "reason": "nothing was recorded"}
    if before is None:
        return {**answer, "token": "as it was"}
    recorded, kept = table(before["found"]), copy_of(place, before.get("before"))
    answer["reason"] = "nothing was applied"
    if before.get("begun"):

        def change(text: str | None) -> str | None:
            if digest_of(text) == before.get("applied") and (kept is not None or not recorded["exists"]):
                return kept
            return without_entry(text, place, recorded)

        answer["changed"] = _rewrite(place, change)
        answer["reason"] = "put back" if answer["changed"] else "the entries are as recorded already"
    answer["token"] = put_token_back(place, table(before["token"]), place.issuer)
    return answer


def _rewrite(place: Place, change: Callable[[str | None], str | None]) -> bool:
    """Read, change, compare, rename; true when the file changed. A `change` of None removes the file."""
    for _ in range(ATTEMPTS):
        text = read_file(place.file)
        new = change(text)
        if new == text:
            return False

        def guard(seen: str | None = text) -> None:
            if read_file(place.file) != seen:
                raise _Changed

        try:
            if new is None:
                guard()
                os.unlink(os.path.realpath(place.file))
            else:
                owner = _owner(place.file) if text is None else (-1, -1)
                atomic_file.write(place.file, new.encode(), None, *owner, guard=guard)
        except _Changed:
            continue
        except OSError as error:
            raise Refusal(
                f"{place.file} cannot be written ({error.strerror}): fix that, then run again; it was left as it is"
            ) from None
        return True
    raise Refusal(f"{place.file} changed {ATTEMPTS} times while it was edited: end the running Claude, then run again")


def _entry(place: EntryRequest) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "http", "url": place.url}
    if place.authorization == "helper":
        return {**entry, "headersHelper": place.helper}
    token = (read_file(place.token_file) or "").strip()
    if not _TOKEN.fullmatch(token):
        raise Refusal(f"the token file {place.token_file} holds no token: run 'token write' first")
    return {**entry, "headers": {"Authorization": f"Bearer {token}"}}


def _write_helper(place: EntryRequest) -> None:
    if place.authorization != "helper":
        return
    path, content = place.helper, _HELPER.format(path=shlex.quote(place.token_file))
    if not os.access(path, os.X_OK) or read_file(path) != content:
        atomic_file.write(path, content.encode(), 0o755)


def _own_new_token(place: Place, before: dict[str, Any]) -> None:
    """Give a token file that was made for Claude the owner of the recorded one, or else the owner of Claude's file."""
    if os.geteuid() != 0 or not os.path.exists(place.token_file):
        return
    recorded = table(before["token"])
    if not recorded.get("exists"):
        os.chown(place.token_file, *_owner(place.file))
    elif os.stat(place.token_file).st_uid == 0 != recorded["uid"]:
        os.chown(place.token_file, recorded["uid"], recorded["gid"])


def _owner(path: str) -> tuple[int, int]:
    """The owner of the file, or of the folder that it will be in."""
    target = os.path.realpath(path)
    status = os.stat(target if os.path.exists(target) else os.path.dirname(target))
    return status.st_uid, status.st_gid


def _make_folder(place: Place) -> None:
    # Claude may run as another user than root and must reach the helper; each secret file in here is 0600.
    os.makedirs(place.folder, mode=0o755, exist_ok=True)
    os.chmod(place.folder, 0o755)
