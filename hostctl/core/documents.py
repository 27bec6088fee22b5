"""The JSON document on stdin, read so that a wrong one is refused in one sentence.

Owns: typed access to a document's keys. Deliberately does not: repeat a value (it may be a secret).
"""

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

    def text(self, key: str, default: str | None = None) -> str:
        return self._typed(key, str, "a text", default)

    def whole_number(self, key: str, default: int | None = None) -> int:
        return self._typed(key, int, "a whole number", default)

    def switch(self, key: str, default: bool | None = None) -> bool:
        return self._typed(key, bool, "true or false", default)

    def whole_numbers(self, key: str) -> list[int]:
        """The list of whole numbers under `key`; an absent one is an empty list."""
        items: list[Any] = self._typed(key, list, "a list", [])
        if not all(isinstance(item, int) and not isinstance(item, bool) for item in items):
            raise Refusal(f"'{key}' in {self.where} must be a list of whole numbers")
        return items

    def seconds(self, key: str, default: float | None = None) -> float:
        value = float(self._typed(key, (int, float), "a number of seconds", default))
        if not 0 <= value < 1e6:
            raise Refusal(f"'{key}' in {self.where} is not a usable number of seconds: give one from 0 to 999999")
        return value

    def objects(self, key: str) -> list[Document]:
        """The list of objects under `key`; an absent one is an empty list."""
        items: list[Any] = self._typed(key, list, "a list", [])
        return [Document(self._object(item, f"'{key}[{n}]'"), f"'{key}[{n}]'") for n, item in enumerate(items)]

    def texts(self, key: str) -> list[str]:
        """The list of texts under `key`; an absent one is an empty list."""
        items: list[Any] = self._typed(key, list, "a list", [])
        if not all(isinstance(item, str) for item in items):
            raise Refusal(f"'{key}' in {self.where} must be a list of texts")
        return items

    def object(self, key: str, default: dict[str, Any] | None = None) -> Document:
        return Document(self._typed(key, dict, "an object", default), f"'{key}'")

    def optional(self, key: str) -> Any:
        return self.values.get(key)

    def mode(self, key: str, default: str) -> int:
        """File permissions as an octal text such as "0640"."""
        text = self.text(key, default)
        try:
            mode = int(text, 8)
        except ValueError:
            mode = -1
        if not 0 <= mode <= 0o7777:
            raise Refusal(f"'{key}' in {self.where} is not a file mode: give an octal text such as \"{default}\"")
        return mode

    def _typed(self, key: str, kind: Any, expected: str, default: Any) -> Any:
        value = self.values.get(key)
        if value is None:
            if default is None:
                raise Refusal(f"'{key}' is missing in {self.where}: give {expected}")
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise Refusal(f"'{key}' in {self.where} must be {expected}")
        if isinstance(value, str) and "\0" in value:
            raise Refusal(f"'{key}' in {self.where} holds a zero byte: remove it")
        return value

    def _object(self, item: Any, where: str) -> dict[str, Any]:
        if not isinstance(item, dict):
            raise Refusal(f"{where} in {self.where} must be an object")
        return table(item)
