"""The check of a call's arguments against its tool's schema.

Owns: which schemas cannot be compiled (their tools go unchecked), and the sentence about wrong arguments.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import jsonschema
from jsonschema.validators import validator_for  # pyright: ignore[reportUnknownVariableType]

from .log import Log
from .protocol import Message

_LOG = Log("validation")
_FORMATS = jsonschema.FormatChecker()


@_FORMATS.checks("uri")
def _is_uri(value: object) -> bool:  # pyright: ignore[reportUnusedFunction]
    return not isinstance(value, str) or re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]*", value) is not None


class Schemas:
    def __init__(self, tools: list[Message]) -> None:
        self._validators: dict[str, Any] = {}
        for tool in tools:
            try:
                self._validators[tool["name"]] = _compiled(tool["inputSchema"])
            except (jsonschema.SchemaError, ValueError, re.error) as error:
                said = _message(error) if isinstance(error, jsonschema.SchemaError) else str(error)
                _LOG.warn("Failed to compile JSON schema for tool, skipping validation", tool=tool["name"], error=said)

    def faults(self, tool: str, arguments: object) -> str:
        """Everything that is wrong with the arguments, or nothing."""
        validator = self._validators.get(tool)
        return "; ".join(_said(error) for error in validator.iter_errors(arguments)) if validator else ""


def _compiled(schema: Message) -> Any:
    known = cast("Any", validator_for)(schema, default=None) if "$schema" in schema else jsonschema.Draft202012Validator
    if known is None:
        raise ValueError(
            f"Unknown meta-schema: '{schema['$schema']}'. "
            "Custom meta-schemas must be registered in the registry before use"
        )
    known.check_schema(schema)
    for key, value in _members(schema):
        if key == "$ref" and isinstance(value, str) and not value.startswith("#"):
            raise ValueError(f"Resource '{value}' is not present in a registry and retrieving it failed")
        if key == "pattern" and isinstance(value, str):
            re.compile(value)
    return known(_sorted(schema), format_checker=_FORMATS)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in cast("Message", value).items():
            yield key, item
            yield from _members(item)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _members(item)


def _said(error: Any) -> str:
    return f"{_message(error)} at {''.join(f'/{part}' for part in error.absolute_path)}"


def _message(error: Any) -> str:
    """The real validator's sentence, as far as it differs from this one's."""
    found, expected = json.dumps(error.instance, ensure_ascii=False), error.validator_value
    match error.validator:
        case "type":
            types: list[str] = [expected] if isinstance(expected, str) else expected
            return f"{found} is not of type{'s' if len(types) > 1 else ''} {', '.join(map(json.dumps, types))}"
        case "required":
            return re.sub(r"^'(.*)' is a", r'"\1" is a', error.message)
        case "format":
            return f'{found} is not a "{expected}"'
        case "pattern":
            return f'{found} does not match "{expected}"'
        case "enum":
            *most, last = map(json.dumps, expected)
            return f"{found} is not one of {', '.join(most)}{' or ' if most else ''}{last}"
        case "anyOf":
            return f"{found} is not valid under any of the schemas listed in the 'anyOf' keyword"
        case _:
            return error.message


def _sorted(schema: Any) -> Any:
    """The schema with its properties in the order in which the real gateway checks them."""
    if isinstance(schema, list):
        return [_sorted(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    members = {key: _sorted(value) for key, value in cast("Message", schema).items()}
    if isinstance(members.get("properties"), dict):
        members["properties"] = dict(sorted(members["properties"].items()))
    return members
