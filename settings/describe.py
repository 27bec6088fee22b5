"""Descriptions of the model: a key's place, its allowed values, a value that fixes it, a key near a misspelt one."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from settings.field_rules import Rule, SecretRule, Section, require_made_secret
from settings.model import PATHS_BELOW_HOME, Settings


def spelled(location: Sequence[str | int]) -> str:
    """('backends', 0, 'kind') as 'backends[0].kind', the spelling of `pulumi config set --path`."""
    key = ""
    for part in location:
        if part == "[key]":
            continue
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key


def plain(annotation: Any) -> tuple[Any, list[Any]]:
    """A type without Annotated and without None, and the metadata met on the way."""
    metadata: list[Any] = []
    while True:
        if get_origin(annotation) is Annotated:
            inner, *more = get_args(annotation)
            metadata = [*more, *metadata]
            annotation = inner
            continue
        if get_origin(annotation) in (Union, types.UnionType):
            remaining = [member for member in get_args(annotation) if member is not type(None)]
            if len(remaining) == 1:
                annotation = remaining[0]
                continue
        return annotation, metadata


def section_of(annotation: Any) -> type[Section] | None:
    """The section that a field holds, alone or as a list's elements."""
    bare, _ = plain(annotation)
    if get_origin(bare) is tuple:
        bare, _ = plain(get_args(bare)[0])
    return bare if isinstance(bare, type) and issubclass(bare, Section) else None


def field_at(location: Sequence[str | int]) -> FieldInfo | None:
    """The field in which a location lies, or None when the model has no such key."""
    section: type[Section] | None = Settings
    field: FieldInfo | None = None
    for part in location:
        if isinstance(part, int) or section is None:
            continue
        field = section.model_fields.get(part)
        if field is None:
            return None
        section = section_of(field.annotation)
    return field


def is_structure(location: Sequence[str | int]) -> bool:
    """True for a key that takes an object or a list, so that its text is JSON."""
    field = field_at(location)
    if field is None:
        return False
    bare, _ = plain(field.annotation)
    return get_origin(bare) in (tuple, dict) or section_of(field.annotation) is not None


def allowed(field: FieldInfo) -> str:
    """The allowed values of a field, as text."""
    return _allowed(field.annotation, list(field.metadata))


def _allowed(annotation: Any, outer: list[Any]) -> str:
    bare, inner = plain(annotation)
    # Within a list or an object pydantic leaves a Field's constraints in the Field.
    metadata = [
        item for note in (*outer, *inner) for item in (note.metadata if isinstance(note, FieldInfo) else [note])
    ]
    for note in metadata:
        rule = getattr(note, "func", None)
        if isinstance(rule, Rule | SecretRule):
            return rule.allowed
    if get_origin(bare) is Literal:
        return _choice([str(item) for item in get_args(bare)])
    if bare is bool:
        return "true or false"
    if bare in (int, float):
        return ("a whole number" if bare is int else "a number") + _range(metadata)
    if get_origin(bare) is tuple:
        return "a list, each: " + _allowed(get_args(bare)[0], [])
    if get_origin(bare) is dict:
        value, _ = plain(get_args(bare)[1])
        return "an object" + (f", each: {_allowed(get_args(bare)[1], [])}" if value is int else "")
    if section_of(annotation):
        return "an object"
    return "a text" + _length(metadata)


def _choice(choices: list[str]) -> str:
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _range(metadata: list[Any]) -> str:
    text = ""
    for note in metadata:
        text += f", at least {note.ge}" if isinstance(note, Ge) else ""
        text += f", above {note.gt}" if isinstance(note, Gt) else ""
        text += f", at most {note.le}" if isinstance(note, Le) else ""
        text += f", below {note.lt}" if isinstance(note, Lt) else ""
        text += f", a multiple of {note.multiple_of}" if isinstance(note, MultipleOf) else ""
    return text


def _length(metadata: list[Any]) -> str:
    least = any(isinstance(note, MinLen) for note in metadata)
    most = next((note.max_length for note in metadata if isinstance(note, MaxLen)), None)
    if most is None:
        return " that is not empty" if least else ""
    return f" that is neither empty nor longer than {most} characters"


def default_text(key: str, field: FieldInfo) -> str | None:
    """A field's default as it would be written with `pulumi config set`; None when it has none."""
    if key in PATHS_BELOW_HOME:
        return f"<host.home>/{PATHS_BELOW_HOME[key]}"
    if field.is_required() or field.default in (None, ""):
        return None
    default = field.get_default(call_default_factory=True)
    return str(default).lower() if isinstance(default, bool) else str(default)


def fixing_value(key: str, field: FieldInfo, given: object) -> str | None:
    """A value that fixes a field: its example, default or first choice; `<word>` where only a person knows.

    None for a list or an object: it is removed, and its elements are set one by one.
    """
    bare, _ = plain(field.annotation)
    if get_origin(bare) in (tuple, dict) or section_of(field.annotation):
        return None
    candidates = [str(choice) for choice in field.examples or []]
    default = default_text(key, field)
    candidates += [default] if default is not None else []
    candidates += [str(choice) for choice in get_args(bare)] if get_origin(bare) is Literal else []
    for candidate in candidates:
        if candidate != str(given) and not candidate.startswith("<"):
            return candidate
    return f"<{key.rpartition('.')[2].replace('_', ' ')}>"


def nearest_key(location: Sequence[str | int]) -> str | None:
    """The known key that an unknown one most likely means: of the same section first, then anywhere."""
    *parents, last = [part for part in location if part != "[key]"] or location
    field = field_at([part for part in parents if isinstance(part, str)])
    section = section_of(field.annotation) if field else Settings
    if section:
        near = difflib.get_close_matches(str(last), list(section.model_fields), n=1, cutoff=0.6)
        if near:
            return spelled([*parents, near[0]])
    near = difflib.get_close_matches(spelled(location), [key for key, _ in scalar_keys()], n=1, cutoff=0.7)
    return near[0] if near else None


def is_secret_field(field: FieldInfo) -> bool:
    bare, _ = plain(field.annotation)
    return bare is SecretStr


def scalar_keys() -> Iterator[tuple[str, FieldInfo]]:
    """Every key that is set alone, in the model's order: sections opened, backends left out."""
    for name, field in Settings.model_fields.items():
        section = section_of(field.annotation)
        if section is None:
            yield name, field
        elif get_origin(plain(field.annotation)[0]) is not tuple:
            yield from ((f"{name}.{inner}", inner_field) for inner, inner_field in section.model_fields.items())


def is_made_secret(field: FieldInfo) -> bool:
    """True for a secret that is random, so that `make secrets` can make it."""
    rules = [getattr(note, "func", None) for note in (*field.metadata, *plain(field.annotation)[1])]
    return any(isinstance(rule, SecretRule) and rule.rule is require_made_secret for rule in rules)
