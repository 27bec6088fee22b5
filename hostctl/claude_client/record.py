"""The record of Claude's file and token file before the cutover, from which a rollback restores them.

Owns: `record.json` (0600) in the product's folder for Claude, and the copy of the previous file.
Deliberately does not: change Claude's file, or let the record leave this host: it holds the token and the entry's
header, and the engine shows a command's answer in its event log before it marks it as secret. The undo is on the disk
before the change is made (`begun`), so that a run killed in between can still be undone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from typing import Any

from hostctl.claude_client.json_edit import objects_along, span_with_comma
from hostctl.claude_client.json_edit import parsed as parsed_or_refused
from hostctl.claude_client.request import Place
from hostctl.core import atomic_file, folders, json_file
from hostctl.core.documents import table
from hostctl.core.errors import Refusal
from hostctl.tokens import claims_unproven

RECORD, COPY, HELPER, LOCK = "record.json", "before.json", "headers", "lock"
OTHERS = "others"
"""The folder with a record for each other entry that leads to the port."""


def read_file(path: str) -> str | None:
    """The file's text, line ends and all; None when there is none. Raises Refusal when it is not UTF-8."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise Refusal(
            f"{path} is not UTF-8 at byte {error.start}: fix it, then run again; it was left as it is"
        ) from None
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): fix that, then run again") from None


def make_folder(place: Place) -> None:
    """Make the product's folder for Claude."""
    # Claude may run as another user than root and must reach the helper; each secret file in here is 0600.
    folders.make_exactly(place.folder, 0o755)


def owner_of(path: str) -> tuple[int, int]:
    """The owner of the file, or of the folder that it will be in."""
    target = os.path.realpath(path)
    status = os.stat(target if os.path.exists(target) else os.path.dirname(target))
    return status.st_uid, status.st_gid


def capture(text: str | None, place: Place) -> dict[str, Any]:
    """The present entries: their raw text, their place among the keys, and which objects around them are missing."""
    if text is None:
        return {"exists": False, "levels": 0, "empty": "{}", "ours": None, "theirs": None}
    parsed_or_refused(text, place.file)
    along = objects_along(text, place.path, place.file)
    holder, complete = along[-1], len(along) == len(place.path) + 1
    captured: dict[str, Any] = {
        "exists": True,
        "levels": len(along) - 1,
        "empty": text[holder.start : holder.end] if not holder.members else "{}",
        "ours": None,
        "theirs": None,
    }
    keys = [member.key for member in holder.members]
    for role, key in (("ours", place.entry), ("theirs", place.predecessor)):
        if complete and key and keys.count(key) > 1:
            raise Refusal(f"the name {key} occurs twice in {place.file}: remove one, then run again")
        at = holder.index(key) if complete and key else None
        if at is None:
            continue
        member = holder.members[at]
        raw: dict[str, Any] = {"member": text[member.start : member.end], "value": text[member.value : member.end]}
        if len(holder.members) > 1:
            start, end = span_with_comma(holder, at)
            raw |= {"cut": text[start:end], "after": holder.members[at - 1].key if at else None}
        captured[role] = raw
    return captured


def token_before(path: str) -> dict[str, Any]:
    """The token file: its content (base64), mode and owner. A secret."""
    try:
        with open(path, "rb") as file:
            content, status = file.read(), os.fstat(file.fileno())
    except FileNotFoundError:
        return {"exists": False}
    except OSError as error:
        raise Refusal(f"the token file {path} cannot be read ({error.strerror}): fix that, then run again") from None
    return {
        "exists": True,
        "content": base64.b64encode(content).decode(),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
    }


def load(place: Place) -> dict[str, Any] | None:
    """The host's record, None when there is none. Raises Refusal when it belongs to another entry."""
    record = json_file.read(place.within(RECORD), "put it back from a backup, or remove it and run again")
    if record is None:
        return None
    if table(record.get("identity")) | {"replaces": ""} == place.identity != record.get("identity"):
        record = _without_predecessor(record, place)
        save(place, record)
        if os.path.exists(place.within(COPY)):
            os.unlink(place.within(COPY))
    if record.get("identity") != place.identity:
        owner = ", ".join(f"{key} {value}" for key, value in table(record.get("identity")).items() if value)
        raise Refusal(
            f"Claude's entry was recorded for {owner}, which cannot change while Sentinel serves: set active to "
            "contextforge and run, then change it and cut over again"
        )
    return record


def sealed(facts: dict[str, Any]) -> dict[str, Any]:
    """A new record, nothing begun; its hash stays the same while the record lives."""
    content = json.dumps(facts, sort_keys=True).encode()
    return {**facts, "sha256": hashlib.sha256(content).hexdigest(), "begun": False}


def reference(place: Place, record: dict[str, Any]) -> dict[str, str]:
    """The record's path and hash: all that leaves the host."""
    return {"path": place.within(RECORD), "sha256": str(record.get("sha256", ""))}


def _without_predecessor(record: dict[str, Any], place: Place) -> dict[str, Any]:
    """The record once the predecessor has been retired: neither its entry nor its token can be put back."""
    entries = {**table(record.get("found")), "theirs": None}
    return {**record, "identity": place.identity, "found": entries, "token": {"exists": False}}


def save(place: Place, record: dict[str, Any], before: str | None = None) -> None:
    """Keep the record, and the copy of the previous file."""
    if before is not None:
        atomic_file.write(place.within(COPY), before.encode(), 0o600)
    json_file.write(place.within(RECORD), record)


def copy_of(place: Place, digest: Any) -> str | None:
    """The kept copy, None when it is not the one with this digest."""
    text = read_file(place.within(COPY))
    return text if text is not None and digest_of(text) == digest else None


def digest_of(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def put_token_back(place: Place, before: dict[str, Any], issuer: str) -> str:
    """Restore the recorded token file, unless somebody else has written another one; return the outcome as a phrase."""
    now = token_before(place.token_file)
    if now == before:
        return "as it was"
    if now["exists"] and now.get("content") != before.get("content") and _issuer(now["content"]) != issuer:
        return "kept: it holds a token that is neither the recorded one nor Sentinel's"
    if not before["exists"]:
        os.unlink(place.token_file)
        return "removed: there was none before"
    content = base64.b64decode(before["content"])
    atomic_file.write(place.token_file, content, int(before["mode"], 8), before["uid"], before["gid"])
    return "put back"


def _issuer(content: str) -> Any:
    return claims_unproven(base64.b64decode(content).decode("ascii", "replace")).get("iss")
