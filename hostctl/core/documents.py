"""The JSON document on stdin, read so that a wrong one is refused in one sentence that repeats no value."""

from __future__ import annotations

import json
from typing import Any, cast

from hostctl.core.errors import Refusal


def table(value: Any) -> dict[str, Any]:
    """A JSON object, empty where there is null or something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def rows(value: Any) -> list[Any]:
    """A JSON list, empty where there is null or something else."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def parsed(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in `text`, None when it holds none."""
    try:
        document: Any = json.loads(text)
    except ValueError:
        return None
    return table(document) if isinstance(document, dict) else None


class Document:
    """A JSON object, and its place for the text of an error."""

    def __init__(self, values: dict[str, Any], where: str = "the document on stdin") -> None:
        self.values = values
        self.where = where

    @classmethod
    def parse(cls, text: str) -> Document:
        """The document in `text`; raises Refusal when it is not a JSON object."""
        try:
            values: Any = json.loads(text)
        except (ValueError, RecursionError):
            raise Refusal("the document on stdin is not JSON: give one JSON object") from None
        if not isinstance(values, dict):
            raise Refusal("the document on stdin is not a JSON object: give one, in curly brackets")
        return cls(table(values))
