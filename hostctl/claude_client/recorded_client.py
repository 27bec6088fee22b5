"""The predecessor's client as Claude's record holds it: its entry's address, and the headers that it may have sent.

Deliberately does not: let a header leave the host by anything but a pipe.
"""

from __future__ import annotations

import base64
import glob
import json
import os
from dataclasses import dataclass, replace
from typing import Any

from hostctl.claude_client.record import OTHERS, RECORD, capture, read_file, token_before
from hostctl.claude_client.request import Place
from hostctl.claude_client.variables import expanded
from hostctl.core import json_file
from hostctl.core.documents import table
from hostctl.core.errors import Refusal


@dataclass(frozen=True)
class RecordedClient:
    """The entry's address, and each Authorization value that it may have used. A secret."""

    url: str = ""
    authorizations: tuple[str, ...] = ()


def recorded_client(folder: str) -> RecordedClient:
    """The client of the record in this folder, empty without one.

    Where the entries of both gateways have the same name, the previous one is recorded as ours. The token file's
    former content counts as well, since a helper may have printed it.
    """
    return _client(json_file.read(os.path.join(folder, RECORD)) or {})


def present_client(folder: str) -> RecordedClient:
    """The same with the values that Claude's files have by now, at the recorded place: the record may be days old; and
    with those of the other entries that lead to the port, which open sessions may have read."""
    record = json_file.read(os.path.join(folder, RECORD)) or {}
    recorded = _with(_client(record), _of_others(folder))
    try:
        place = Place(folder=folder, **table(record.get("identity")))
        present = _client({"found": capture(read_file(place.file), place), "token": token_before(place.token_file)})
    except (Refusal, TypeError):
        return recorded
    return _with(recorded, present.authorizations)


def _with(client: RecordedClient, more: tuple[str, ...]) -> RecordedClient:
    return replace(client, authorizations=tuple(dict.fromkeys(client.authorizations + more)))


def _of_others(folder: str) -> tuple[str, ...]:
    records = sorted(glob.glob(os.path.join(glob.escape(folder), OTHERS, "*", RECORD)))
    return tuple(value for path in records for value in _client(json_file.read(path) or {}).authorizations)


def _client(record: dict[str, Any]) -> RecordedClient:
    url, authorizations, found = "", list[str](), table(record.get("found"))
    for raw in (table(found.get("theirs")), table(found.get("ours"))):
        entry = table(expanded(json.loads(raw["value"]), set())) if raw else {}
        url = url or str(entry.get("url") or "")
        headers = table(entry.get("headers"))
        authorizations += [str(value) for key, value in headers.items() if key.lower() == "authorization"]
    token = table(record.get("token"))
    if token.get("exists"):
        text = base64.b64decode(token["content"]).decode("ascii", "replace").strip()
        authorizations += [f"Bearer {text}"] if text else []
    return RecordedClient(url, tuple(dict.fromkeys(authorizations)))
