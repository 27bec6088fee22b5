"""The predecessor as the host writes it for the bridge, and a token of its own."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.bridge.client import token

KEY = "the-predecessors-own-signing-key-of-32-bytes"
ITS: dict[str, Any] = {"iss": "mcpgateway", "aud": "mcpgateway-api", "key": KEY}
RECORDED = token(**ITS, sub="admin@example.com")
NAMES = ["beta-beta-echo", "beta-beta-slow", "weather-forecast"]


@dataclass(frozen=True)
class Host:
    """The host's part: the file that the bridge reads while it runs."""

    folder: Path

    def write(self, seconds: float = 3600, names: list[str] | None = None) -> None:
        digest = hashlib.sha256(RECORDED.encode()).hexdigest()
        document = {"tokens": [{"sha256": digest, "until": time.time() + seconds}], "names": names or NAMES}
        self.put(json.dumps(document))

    def put(self, text: str) -> None:
        (self.folder / "new").write_text(text)
        os.replace(self.folder / "new", self.folder / "predecessor.json")
