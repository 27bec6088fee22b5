"""A verb's request: one immutable dataclass, built by its component, read by its verb.

The fields' types are the format: text, whole numbers, seconds (`float`), switches, `FileMode`, other requests, `dict`
for what is passed on unread, and tuples of text, whole numbers or requests. A field with a default may be absent.
A rule that a type cannot express is in the request's `__post_init__` and raises Refusal.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from hostctl.core.documents import Document, table

R = TypeVar("R")


class FileMode(int):
    """File permissions; an octal text such as "0640" in the document."""


def read(kind: type[R], document: Document) -> R:
    """The request in `document`; raises Refusal for a missing or wrong member. Unknown members are ignored."""
    hints = get_type_hints(kind)
    values = {
        field.name: _value(hints[field.name], document, field.name)
        for field in dataclasses.fields(typing.cast(Any, kind))
        if document.optional(field.name) is not None or _required(field)
    }
    return kind(**values)


def write(request: Any) -> dict[str, Any]:
    """The document from which `read` builds the same request."""
    return {field.name: _plain(getattr(request, field.name)) for field in dataclasses.fields(request)}


def kind_of(verb: Callable[..., Any]) -> type[Any]:
    """The type of the verb's only argument: its request, or Document where it reads members itself."""
    hints = {name: hint for name, hint in get_type_hints(verb).items() if name != "return"}
    return next(iter(hints.values()))


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(hint: Any, document: Document, key: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return read(typing.cast(Any, hint), document.object(key))
    if typing.get_origin(hint) is tuple:
        return _rows(typing.get_args(hint)[0], document, key)
    if hint is dict or typing.get_origin(hint) is dict:
        return document.object(key).values
    if hint is FileMode:
        return FileMode(document.mode(key, ""))
    readers: dict[Any, Callable[[str], Any]] = {
        str: document.text,
        int: document.whole_number,
        float: document.seconds,
        bool: document.switch,
    }
    return readers[hint](key)


def _rows(hint: Any, document: Document, key: str) -> tuple[Any, ...]:
    if hint is str:
        return tuple(document.texts(key))
    if hint is int:
        return tuple(document.whole_numbers(key))
    if hint is dict or typing.get_origin(hint) is dict:
        return tuple(row.values for row in document.objects(key))
    return tuple(read(hint, row) for row in document.objects(key))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return write(value)
    if isinstance(value, FileMode):
        return f"{value:04o}"
    if isinstance(value, tuple):
        return [_plain(row) for row in typing.cast("tuple[Any, ...]", value)]
    return table(value) if isinstance(value, dict) else value
