"""Whether an answer is what was expected, as a pure decision over its text and its structured part.

Owns: the four kinds of expectation. Deliberately does not: call anything.
"""

from __future__ import annotations

import json
from typing import Any, cast

from .plan import Expectation

_LONGEST = 200


def differs(expected: Expectation, text: str, structured: Any) -> str:
    """Why the answer is not the expected one, in a few words; empty when it is.

    `structured` is the answer's structured content, or None. A JSON path is dotted (`thoughts.0.number`) and is looked
    for in the structured content, or in the text where that is JSON.
    """
    if expected.result == "structured" and structured is None:
        return f"the answer has no structured part: {shortened(text)}"
    if expected.result == "text" and not text:
        return "the answer has no text"
    for wanted in expected.contains:
        if wanted not in text:
            return f"{wanted!r} is not in the answer: {shortened(text)}"
    for unwanted in expected.excludes:
        if unwanted in text:
            return f"{unwanted!r} is in the answer: {shortened(text)}"
    if expected.json_path is not None and not _has(_document(text, structured), expected.json_path):
        return f"the answer has nothing at {expected.json_path}: {shortened(text)}"
    return ""


def shortened(text: str) -> str:
    """One line of at most 200 characters."""
    return " ".join(text.split())[:_LONGEST]


def _document(text: str, structured: Any) -> Any:
    if structured is not None:
        return structured
    try:
        return json.loads(text)
    except ValueError:
        return None


def _has(document: Any, path: str) -> bool:
    here = document
    for key in path.split("."):
        if isinstance(here, dict) and key in here:
            here = cast("dict[str, Any]", here)[key]
        elif isinstance(here, list) and key.isdigit() and int(key) < len(cast("list[Any]", here)):
            here = cast("list[Any]", here)[int(key)]
        else:
            return False
    return True
