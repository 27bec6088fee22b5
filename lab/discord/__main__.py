"""`python -m lab.discord ADDRESS FOLDER`: the double on port 80 of ADDRESS.

FOLDER holds `webhook` (addresses, one a line; the first is the lab's own) and gets `messages.jsonl`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from lab.discord.sink import Discord, server


def main(address: str, folder: Path) -> None:
    file = folder / "webhook"
    first = file.read_text().split()[0]
    server(Discord(urlsplit(first).path, folder / "messages.jsonl", more=file), address, 80).serve_forever()


main(sys.argv[1], Path(sys.argv[2]))
