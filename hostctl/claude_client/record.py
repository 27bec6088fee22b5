"""What Claude's file and token file were before the cutover, kept on the host: the rollback of Claude's entry.

Owns: `record.json` (0600) in the product's folder for Claude, and the copy of the file that was there before.
Deliberately does not: change Claude's file, or leave this host: it holds the token and the entry's header, and the
engine shows in its event log what a command answers, before it marks that as secret. A record is finished in this
order: what will be undone is on the disk before it is done (`begun`), so that a run killed in between can still be
taken back.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from dataclasses import dataclass
from typing import Any

from hostctl.claude_client.json_edit import objects_along, span_with_comma
from hostctl.claude_client.json_edit import parsed as parsed_or_refused
from hostctl.core import atomic_file
from hostctl.core.documents import Document, parsed, table
from hostctl.core.errors import Refusal

RECORD, COPY, HELPER, LOCK = "record.json", "before.json", "headers", "lock"
_IDENTITY = ("file", "scope", "project", "entry", "replaces", "token_file")


@dataclass(frozen=True)
class Place:
    """Where the entry stands: the file, the way to `mcpServers` in it, our entry's name and the predecessor's."""

    file: str
    path: list[str]
    entry: str
    replaces: str
    token_file: str
    folder: str

    @classmethod
    def of(cls, document: Document) -> Place:
        """Raises Refusal when a scope lacks its project."""
        scope, project = document.text("scope", "user"), document.text("project", "")
        if scope not in ("user", "project", "local"):
            raise Refusal("'scope' in the document on stdin must be user, project or local")
        if scope == "local" and not project:
            raise Refusal("'project' is missing in the document on stdin: give the project's folder for scope local")
        path = ["projects", project, "mcpServers"] if scope == "local" else ["mcpServers"]
        entry, replaces = document.text("entry"), document.text("replaces", "")
        found = (document.text("file"), document.text("token_file"), document.text("folder"))
        for given in found:
            if not os.path.isabs(given):
                raise Refusal("'file', 'token_file' and 'folder' must be absolute paths")
        return cls(found[0], path, entry, "" if replaces == entry else replaces, found[1], found[2])

    def within(self, name: str) -> str:
        """A file of ours in the product's folder for Claude."""
        return os.path.join(self.folder, name)


def identity(document: Document) -> dict[str, Any]:
    """What a record belongs to; it does not serve another file or another entry."""
    return {key: document.text(key, "") for key in _IDENTITY}


def read_file(path: str) -> str | None:
    """The file's text, line ends and all; None when there is none. Raises Refusal when it is no UTF-8."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise Refusal(
            f"{path} is no UTF-8 at byte {error.start}: fix it, then run again; it was left as it is"
        ) from None
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): fix that, then run again") from None


def capture(text: str | None, place: Place) -> dict[str, Any]:
    """The entries as they are: their raw text, their place among the keys, and what around them does not exist yet."""
    if text is None:
        return {"exists": False, "levels": 0, "empty": "{}", "ours": None, "theirs": None}
    parsed_or_refused(text, place.file)
    found = objects_along(text, place.path, place.file)
    holder, complete = found[-1], len(found) == len(place.path) + 1
    captured: dict[str, Any] = {
        "exists": True,
        "levels": len(found) - 1,
        "empty": text[holder.start : holder.end] if not holder.members else "{}",
        "ours": None,
        "theirs": None,
    }
    for role, key in (("ours", place.entry), ("theirs", place.replaces)):
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
            content, found = file.read(), os.fstat(file.fileno())
    except FileNotFoundError:
        return {"exists": False}
    except OSError as error:
        raise Refusal(f"the token file {path} cannot be read ({error.strerror}): fix that, then run again") from None
    return {
        "exists": True,
        "content": base64.b64encode(content).decode(),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "uid": found.st_uid,
        "gid": found.st_gid,
    }


def load(place: Place, document: Document) -> dict[str, Any] | None:
    """The host's record, None when there is none. Raises Refusal when it belongs to another entry."""
    text = read_file(place.within(RECORD))
    if text is None:
        return None
    record = parsed(text)
    if record is None:
        raise Refusal(f"{place.within(RECORD)} is no JSON: put it back from a backup, or remove it and run again")
    if table(record.get("identity")) | {"replaces": ""} == identity(document) != record.get("identity"):
        record = _without_predecessor(record, document)
        save(place, record)
        if os.path.exists(place.within(COPY)):
            os.unlink(place.within(COPY))
    if record.get("identity") != identity(document):
        told = ", ".join(f"{key} {value}" for key, value in table(record.get("identity")).items() if value)
        raise Refusal(
            f"Claude's entry was recorded for {told}, which cannot change while Sentinel serves: set active to "
            "contextforge and run, then change it and cut over again"
        )
    return record


def sealed(found: dict[str, Any]) -> dict[str, Any]:
    """A new record of what was found, nothing begun; its hash stays what it is while the record lives."""
    content = json.dumps(found, sort_keys=True).encode()
    return {**found, "sha256": hashlib.sha256(content).hexdigest(), "begun": False}


def stands(place: Place, record: dict[str, Any]) -> dict[str, str]:
    """Where the record is and its hash: all of it that is told."""
    return {"path": place.within(RECORD), "sha256": str(record.get("sha256", ""))}


def _without_predecessor(record: dict[str, Any], document: Document) -> dict[str, Any]:
    """The record once the predecessor has been retired: neither its entry nor its token is there to be put back."""
    found = {**table(record.get("found")), "theirs": None}
    return {**record, "identity": identity(document), "found": found, "token": {"exists": False}}


def save(place: Place, record: dict[str, Any], before: str | None = None) -> None:
    """Keep the record, and the copy of the file as it was before."""
    if before is not None:
        atomic_file.write(place.within(COPY), before.encode(), 0o600)
    atomic_file.write(place.within(RECORD), json.dumps(record, indent=1).encode() + b"\n", 0o600)


def copy_of(place: Place, digest: Any) -> str | None:
    """The kept copy, None when it is not the one with this digest."""
    text = read_file(place.within(COPY))
    return text if text is not None and digest_of(text) == digest else None


def digest_of(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def put_token_back(place: Place, before: dict[str, Any], issuer: str) -> str:
    """The token file as recorded, unless somebody else has written another one; says which."""
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
    try:
        body = base64.b64decode(content).split(b".")[1]
        return table(parsed(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))).get("iss")
    except (ValueError, IndexError):
        return None
