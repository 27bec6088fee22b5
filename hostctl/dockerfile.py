"""Threat: a Dockerfile that fetches what nobody pinned, so that another build is another program next to the secrets.

Owns: finding such a line. Deliberately does not: understand a shell; it looks for the usual forms, and Debian's own
packages, which are signed, are no finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)^ADD\s+(?!.*--checksum=).*https?://"), "ADD of an address without --checksum"),
    (re.compile(r"\b(curl|wget)\b[^;&]*\|\s*(sudo\s+)?(ba|da)?sh\b"), "a script out of the network piped into a shell"),
    (re.compile(r"\bnpx\s+(-y|--yes)\b|\buvx\b"), "a package run by npx or uvx without a version of its own"),
    (re.compile(r"@latest\b"), "a package at @latest"),
    (re.compile(r"\bnpm\s+(?:install|i|add)\s+(?:-\S+\s+)*(?:@[\w.-]+/)?\w[\w.-]*(?=\s|$)"), "npm without a version"),
    (re.compile(r"\bpip3?\s+install\s+(?:-(?!r\b)\S+\s+)*[A-Za-z][\w.\[\]-]*(?=\s|$)"), "pip without =="),
)  # fmt: skip


def unpinned(text: str) -> str | None:
    """The first line that fetches something without a version, as "line N (LINE): REASON"; None without one."""
    stages: set[str] = set()
    for number, line in _lines(text):
        words = [word for word in line.split() if not word.startswith("--")]
        if words[0].upper() == "FROM" and len(words) > 1:
            if not (words[1].lower() in stages or _is_pinned(words[1])):
                return f"line {number} ({line}): FROM an image without a tag or at latest"
            stages.add(words[-1].lower())
        for pattern, reason in _RULES:
            if pattern.search(line):
                return f"line {number} ({line}): {reason}"
    return None


def _is_pinned(image: str) -> bool:
    # A variable's value is checked where it is given.
    if "$" in image or image.lower() == "scratch" or "@sha256:" in image:
        return True
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag not in ("", "latest")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Each instruction in one line with the number of its first one; comments and empty lines are left out."""
    begun, number = "", 0
    for at, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("#") or not (stripped or begun):
            continue
        number = number if begun else at
        begun = f"{begun} {stripped}".strip()
        if stripped.endswith("\\"):
            begun = begun[:-1].rstrip()
            continue
        if begun:
            yield number, begun
        begun = ""
    if begun:
        yield number, begun
