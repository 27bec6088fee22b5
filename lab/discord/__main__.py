"""`python -m lab.discord ADDRESS FOLDER`: the double on port 80 of ADDRESS.

FOLDER holds `webhook` (the webhook's address) and gets `messages.jsonl`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from lab.discord.sink import Discord, server


def main(address: str, folder: Path) -> None:
    webhook = (folder / "webhook").read_text().strip()
    server(Discord(urlsplit(webhook).path, folder / "messages.jsonl"), address, 80).serve_forever()


main(sys.argv[1], Path(sys.argv[2]))
