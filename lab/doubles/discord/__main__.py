"""`python -m lab.doubles.discord ADDRESS FOLDER [CERTIFICATE]`: the double on port 80, or by TLS on port 443.

FOLDER holds `webhook` (addresses, one a line; the first is the lab's own) and gets `messages.jsonl`;
CERTIFICATE holds the key too.
"""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

from lab.doubles.discord.sink import Discord, server


def main(address: str, folder: Path, certificate: Path | None) -> None:
    file = folder / "webhook"
    first = file.read_text().split()[0]
    known = Discord(urlsplit(first).path, folder / "messages.jsonl", more=file)
    serving = server(known, address, 443 if certificate is not None else 80)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        serving.socket = context.wrap_socket(serving.socket, server_side=True, do_handshake_on_connect=False)
    serving.serve_forever()


main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
