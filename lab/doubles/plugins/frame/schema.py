"""Compares state with inputs the way the docker plugin's bridge does.

Owns: what a field is (list, set, block, …), defaults in `check`, the detailed diff, the planned state of an update.
Deliberately does not: know any resource; talk to Docker.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import DiffResponse, PropertyDiff, PropertyDiffKind
from pulumi.runtime.rpc import UNKNOWN

from lab.doubles.plugins.frame.values import Plain, PlainMap, Properties, holds_unknown, member, number, wire

Kind = PropertyDiffKind
_FORCED = {Kind.ADD: Kind.ADD_REPLACE, Kind.DELETE: Kind.DELETE_REPLACE, Kind.UPDATE: Kind.UPDATE_REPLACE}


@dataclass(frozen=True)
class Field:
    """One property.

    `shape`: "value", "list" or "set" (of anything), "map", or "block" (one object).
    `computed`: what Docker fills in is no difference when the program declares nothing.
    `replace`: a difference replaces the resource.
    """

    shape: str = "value"
    computed: bool = False
    replace: bool = True
    blank: Plain = None
    """The value in state after an update when the program declares none."""
    defaults: Mapping[str, Plain] = field(default_factory=dict[str, Plain])
    """Defaults of an object's members; recorded ones are never false, zero or empty."""
    order: str | None = None
    """The member by which a list's objects are sorted before they are compared."""
    filling: Mapping[str, Plain] = field(default_factory=dict[str, Plain])
    """Members that state always shows for an object."""


@dataclass(frozen=True)
class Schema:
    fields: Mapping[str, Field]
    defaults: Mapping[str, Plain]
    autonamed: bool = True

    def checked(self, urn_name: str, old: Properties, new: Properties) -> Properties:
        """The inputs with defaults filled in and named in `__defaults`, at the top and in every object."""
        inputs = {key: self._checked_field(key, value) for key, value in new.items() if key != "__defaults"}
        filled: list[str] = []
        if self.autonamed and "name" not in inputs:
            inputs["name"] = old.get("name") or PropertyValue(f"{urn_name}-{secrets.token_hex(4)[:7]}")
            filled.append("name")
        for key, default in self.defaults.items():
            if key not in inputs:
                inputs[key] = wire(default)
                filled.append(key)
        inputs["__defaults"] = wire(cast("list[Plain]", sorted(filled)))
        return inputs

    def _checked_field(self, key: str, value: PropertyValue) -> PropertyValue:
        known = self.fields.get(key)
        if known is None or known.shape not in ("list", "set", "block"):
            return value
        return _with_defaults(value, known)

    def differences(self, state: PlainMap, inputs: PlainMap, ignored: list[str]) -> dict[str, Kind]:
        found: dict[str, Kind] = {}
        for key, known in self.fields.items():
            if key in ignored:
                continue
            for path, kind in _field_difference(key, known, state.get(key), inputs.get(key)):
                found[path] = _FORCED[kind] if known.replace else kind
        return found

    def planned(self, state: PlainMap, inputs: PlainMap) -> PlainMap:
        """The state after an update: the bridge keeps what was planned and does not read again."""
        result = dict(state)
        for key, known in self.fields.items():
            if key in inputs:
                result[key] = filled(known, inputs[key])
            elif not known.computed and key in state and _canonical(state[key]) is not None:
                result[key] = known.blank
            elif known.filling and key in state:
                result[key] = filled(known, state[key])
        return result


def diff_response(found: Mapping[str, Kind], *, delete_first: bool) -> DiffResponse:
    replaces = sorted({_top(path) for path, kind in found.items() if kind in _FORCED.values()})
    return DiffResponse(
        changes=bool(found),
        replaces=replaces,
        delete_before_replace=bool(replaces) and delete_first,
        diffs=sorted({_top(path) for path in found}),
        detailed_diff={path: PropertyDiff(kind, input_diff=False) for path, kind in found.items()},
    )


def filled(known: Field, value: Plain, *, unset: bool = False) -> Plain:
    """Objects with all their members, as state shows them; `unset` leaves as null what a create leaves as null."""
    if isinstance(value, list):
        return [filled(known, item, unset=unset) for item in value]
    if not isinstance(value, dict):
        return value
    members: PlainMap = {key: item for key, item in value.items() if key != "__defaults"}
    for key, blank in known.filling.items():
        if members.get(key) is None:
            members[key] = None if unset and key in ("readOnly", "gwPriority") else blank
    return dict(sorted(members.items()))


def _with_defaults(value: PropertyValue, known: Field) -> PropertyValue:
    inner = value.value
    if isinstance(inner, Mapping):
        members = dict(inner)
        members.pop("__defaults", None)
        missing = sorted(key for key in known.defaults if key not in members)
        members.update({key: wire(known.defaults[key]) for key in missing})
        members["__defaults"] = wire(cast("list[Plain]", missing))
        return value.with_value(members)
    if isinstance(inner, tuple):
        return value.with_value([_with_defaults(item, known) for item in inner])
    return value


def _top(path: str) -> str:
    return path.split(".")[0].split("[")[0]


def _canonical(value: Plain) -> Plain:
    """Without what Docker and the bridge take for "not declared": null, empty, zero and false."""
    if isinstance(value, dict):
        kept = {key: _canonical(item) for key, item in value.items() if key != "__defaults"}
        return {key: item for key, item in kept.items() if item is not None} or None
    if isinstance(value, list):
        return [_canonical(item) for item in value] or None
    return None if value in (None, "", 0, False) else value


def _field_difference(key: str, known: Field, old: Plain, new: Plain) -> Iterator[tuple[str, Kind]]:
    before, after = (_canonical(_sorted(side, known.order)) for side in (old, new))
    if new is None and known.computed:
        return
    if key in ("user", "workingDir") and after is None:
        return
    if isinstance(old, bool) and isinstance(new, bool) and old != new:
        yield key, Kind.UPDATE
    elif known.shape == "set" and isinstance(before, list) and isinstance(after, list):
        yield from _set_difference(key, before, after)
    else:
        yield from _difference(key, before, after)


def _sorted(value: Plain, order: str | None) -> Plain:
    if order is None or not isinstance(value, list):
        return value
    return sorted(value, key=lambda item: number(item.get(order)) if isinstance(item, dict) else 0)


def _set_difference(key: str, old: list[Plain], new: list[Plain]) -> Iterator[tuple[str, Kind]]:
    before, after = [_sorting(item) for item in old], [_sorting(item) for item in new]
    if sorted(before) == sorted(after):
        return
    if any(isinstance(item, dict) for item in old + new) or holds_unknown(new):
        # Objects in sets are reported as a whole (recorded: `uploads`), strings by their place (recorded: `envs`).
        yield key, Kind.UPDATE
        return
    gone = {index for index, item in enumerate(before) if item not in after}
    come = {index for index, item in enumerate(after) if item not in before}
    for index in sorted(gone | come):
        kind = Kind.UPDATE if index in gone and index in come else Kind.ADD if index in come else Kind.DELETE
        yield f"{key}[{index}]", kind


def _sorting(value: Plain) -> str:
    return json.dumps(value, sort_keys=True)


def _difference(path: str, old: Plain, new: Plain) -> Iterator[tuple[str, Kind]]:
    if old == new:
        return
    if old is None or new is None:
        yield from _whole(path, old, new)
    elif new == UNKNOWN:
        yield path, Kind.UPDATE
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _difference(member(path, key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            was, now = (side[index] if index < len(side) else None for side in (old, new))
            yield from _difference(f"{path}[{index}]", was, now)
    else:
        yield path, Kind.UPDATE


def _whole(path: str, old: Plain, new: Plain) -> Iterator[tuple[str, Kind]]:
    side = new if old is None else old
    yield (
        (f"{path}[0]" if isinstance(side, list) and len(side) == 1 else path),
        (Kind.ADD if old is None else Kind.DELETE),
    )
