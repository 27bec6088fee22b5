"""The difference between an answer and its expectation, a pure decision over its text and its structured part."""

from __future__ import annotations

import json
from typing import Any, cast

from hostctl.mcp.probe import Expectation

_LONGEST = 200


def differs(expected: Expectation, text: str, structured: Any) -> str:
    """The difference in a few words; empty for the expected answer.

    `structured` is the answer's structured content, or None. A JSON path is dotted (`thoughts.0.number`) and is
    resolved in the structured content, or in the text where that is JSON.
    """
    for required in expected.contains:
        if required not in text:
            return f"{required!r} is not in the answer: {shortened(text)}"
    for excluded in expected.excludes:
        if excluded in text:
            return f"{excluded!r} is in the answer: {shortened(text)}"
    if expected.json_path and not _has(_document(text, structured), expected.json_path):
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
