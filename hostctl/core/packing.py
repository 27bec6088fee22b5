"""Content packed as one line of text, for a request or for stdin.

bz2, since its output does not depend on the library's version, unlike zlib's: a state made on one machine shows no
change on another.
"""

from __future__ import annotations

import base64
import bz2


def packed(content: bytes) -> bytes:
    """One line of base64, without its end."""
    return base64.b64encode(bz2.compress(content))


def unpacked(text: str) -> bytes:
    """Raises ValueError or OSError for anything else than packed content."""
    return bz2.decompress(base64.b64decode(text))
