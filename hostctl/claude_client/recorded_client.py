"""The predecessor's client as Claude's record holds it: its entry's address, and the headers that it may have sent.

Deliberately does not: let a header leave the host by anything but a pipe.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass

from hostctl.claude_client.record import RECORD, read_file
from hostctl.claude_client.variables import expanded
from hostctl.core.documents import parsed, table


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
    record = parsed(read_file(os.path.join(folder, RECORD)) or "{}") or {}
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
