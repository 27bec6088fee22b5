"""The origin of each of a stack's values: its own file, the values that all stacks share, or a default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ops.engine import shared_settings, stack_file
from settings import SECRET_KEYS, shared
from settings.describe import default_text, scalar_keys, section_of

DEFAULT = "default"
NOT_SET = "not set"


@dataclass(frozen=True)
class Origin:
    """A key with its value, None for a secret, and the place that gives it."""

    key: str
    value: Any
    place: str
    secret: bool = False


def origins(stack: str, root: Path) -> Iterator[Origin]:
    """Every key in the model's order, those of the stack's file that the model does not know at the end."""
    today, own, common = stack_file.read(stack), stack_file.own_values(stack), shared_settings.read(root)
    fields = dict(scalar_keys())
    keys = [key for key in fields if key not in SECRET_KEYS]
    unknown = {key for key in (*_flat(own, fields), *common) if key not in fields} - {"backends", *SECRET_KEYS}
    for key in (*keys, "backends", *sorted(unknown)):
        place = _place(key, stack, own, common)
        if key in today.secrets or key.split(".")[0] in today.secrets:
            yield Origin(key, None, place, secret=True)
            continue
        value = _value(today.values, key)
        if place == DEFAULT and value in (None, ""):
            field = fields.get(key)
            value = default_text(key, field) if field and section_of(field.annotation) is None else None
            place = DEFAULT if value is not None else NOT_SET
        yield Origin(key, value, place)
    for key in SECRET_KEYS:
        yield Origin(
            key, None, _place(key, stack, own, {}) if key in today.secrets | own.keys() else NOT_SET, secret=True
        )


def _flat(own: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[str]:
    """The keys of a stack's own file with the model's sections opened."""
    sections = {key.partition(".")[0] for key in fields if "." in key}
    for key, value in own.items():
        if key in sections and isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner in cast("Mapping[str, Any]", value))
        else:
            yield key


def _place(key: str, stack: str, own: Mapping[str, Any], common: Mapping[str, Any]) -> str:
    if _has(own, key):
        return f"Pulumi.{stack}.yaml"
    return shared.FILE if key in common else DEFAULT


def _has(values: Mapping[str, Any], key: str) -> bool:
    section, _, inner = key.partition(".")
    nested = values.get(section)
    return key in values or (bool(inner) and isinstance(nested, Mapping) and inner in nested)


def _value(values: Mapping[str, Any], key: str) -> Any:
    """A literal dotted key wins over the nested one, as in the program (settings/loading.py)."""
    section, _, inner = key.partition(".")
    nested = values.get(section)
    if key in values or not inner:
        return values.get(key)
    return cast("Mapping[str, Any]", nested).get(inner) if isinstance(nested, Mapping) else None
