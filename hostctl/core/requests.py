"""A verb's request: one immutable dataclass, built by its component, read by its verb.

The fields' types are the format: text, whole numbers, seconds (`float`), switches, `FileMode`, other requests, `dict`
for what is passed on unread, and tuples of text, whole numbers or requests. A field with a default may be absent.
A rule that a type cannot express is in the request's `__post_init__` and raises Refusal.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from hostctl.core.documents import Document, table
from hostctl.core.errors import Refusal

R = TypeVar("R")


class FileMode(int):
    """File permissions; an octal text such as "0640" in the document."""


def read(kind: type[R], document: Document) -> R:
    """The request in `document`; raises Refusal for a missing or wrong member. Unknown members are ignored."""
    hints, values = get_type_hints(kind), dict[str, Any]()
    for field in dataclasses.fields(typing.cast(Any, kind)):
        value = document.values.get(field.name)
        if value is not None:
            values[field.name] = _value(hints[field.name], value, field.name, document.where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            expected = _kind(hints[field.name])[1]
            raise Refusal(f"'{field.name}' is missing in {document.where}: give {expected}")
    return kind(**values)


def write(request: Any) -> dict[str, Any]:
    """The document from which `read` builds the same request."""
    return {field.name: _plain(getattr(request, field.name)) for field in dataclasses.fields(request)}


def kind_of(verb: Callable[..., Any]) -> type[Any]:
    """The type of the verb's only argument: its request."""
    hints = {name: hint for name, hint in get_type_hints(verb).items() if name != "return"}
    return next(iter(hints.values()))


def _kind(hint: Any) -> tuple[Any, str]:
    """The type that JSON has for a field's type, and its name for a person."""
    origin = typing.get_origin(hint) or hint
    return _KINDS.get(origin, (dict, "an object"))


def _value(hint: Any, value: Any, key: str, where: str) -> Any:
    kind, expected = _kind(hint)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise Refusal(f"'{key}' in {where} must be {expected}")
    known: Any = typing.cast(Any, value)
    if dataclasses.is_dataclass(hint):
        return read(typing.cast(Any, hint), Document(known, f"'{key}'"))
    if kind is list:
        return _rows(typing.get_args(hint)[0], known, key, where)
    if isinstance(known, str) and "\0" in known:
        raise Refusal(f"'{key}' in {where} holds a zero byte: remove it")
    if hint is float:
        known = float(known)
        if not 0 <= known < 1e6:
            raise Refusal(f"'{key}' in {where} is not a usable number of seconds: give one from 0 to 999999")
    if hint is FileMode:
        if not re.fullmatch("[0-7]{1,4}", known):
            raise Refusal(f"'{key}' in {where} is not a file mode: give an octal text such as \"0640\"")
        return FileMode(int(known, 8))
    return known


def _rows(hint: Any, items: list[Any], key: str, where: str) -> tuple[Any, ...]:
    names = {str: "texts", int: "whole numbers"}
    if hint in names and not all(isinstance(item, hint) and not isinstance(item, bool) for item in items):
        raise Refusal(f"'{key}' in {where} must be a list of {names[hint]}")
    return tuple(items if hint in names else (_value(hint, item, f"{key}[{n}]", where) for n, item in enumerate(items)))


_KINDS: dict[Any, tuple[Any, str]] = {
    str: (str, "a text"),
    FileMode: (str, "a text"),
    int: (int, "a whole number"),
    float: ((int, float), "a number of seconds"),
    bool: (bool, "true or false"),
    tuple: (list, "a list"),
}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return write(value)
    if isinstance(value, FileMode):
        return f"{value:04o}"
    if isinstance(value, tuple):
        return [_plain(row) for row in typing.cast("tuple[Any, ...]", value)]
    return table(value) if isinstance(value, dict) else value
