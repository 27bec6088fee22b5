"""Between the SDK's property values and plain Python.

Owns: taking secrets off and putting them on again, the sign of an unknown value, paths in detailed diffs.
Deliberately does not: know any resource.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
Properties = dict[str, PropertyValue]
PlainMap = dict[str, Plain]

ASSET_SIGN = "__asset_sign"
"""Stands in for the wire's signature key of assets and archives, which the SDK's frame would strip of their hash."""


def plain(value: PropertyValue) -> Plain:
    """The value without secrets; whole numbers become int."""
    inner = value.value
    if isinstance(inner, float):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, Mapping):
        return {key: plain(item) for key, item in inner.items()}
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [plain(item) for item in inner]
    if inner is None or isinstance(inner, (bool, str)):
        return inner
    raise TypeError(f"a value of type {type(inner).__name__} cannot be handled by the lab's plugin")


def plain_map(values: Properties) -> PlainMap:
    return {key: plain(value) for key, value in values.items()}


def wire(value: Plain) -> PropertyValue:
    if isinstance(value, dict):
        return PropertyValue({key: wire(item) for key, item in value.items()})
    if isinstance(value, list):
        return PropertyValue([wire(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def wire_map(values: PlainMap, secret: Iterable[str] = ()) -> Properties:
    hidden = set(secret)
    return {key: wire(value).with_secret(key in hidden) for key, value in values.items()}


def secret_keys(values: Properties) -> set[str]:
    """The top-level properties that hold a secret anywhere."""
    return {key for key, value in values.items() if value.contains_secret()}


def holds_unknown(value: Plain) -> bool:
    if isinstance(value, dict):
        return any(holds_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_unknown(item) for item in value)
    return value == UNKNOWN


def member(path: str, key: str) -> str:
    """`logOpts` and `max-file` are `logOpts["max-file"]`; plain names get a dot."""
    return f"{path}.{key}" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else f'{path}["{key}"]'


def text(value: Plain) -> str:
    return "" if value is None else str(value)


def strings(value: Plain) -> list[str]:
    return [text(item) for item in value] if isinstance(value, list) else []


def items(value: Plain) -> list[PlainMap]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value: Plain) -> dict[str, str]:
    return {key: text(item) for key, item in value.items() if key != "__defaults"} if isinstance(value, dict) else {}


def number(value: Plain, otherwise: int = 0) -> int:
    return int(value) if isinstance(value, (int, float)) else otherwise
