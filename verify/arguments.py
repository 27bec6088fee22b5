"""The check of a probe's arguments against its tool's schema, whose misfits the gateway itself refuses.

As in the gateway, a schema that cannot be compiled checks nothing. Where a probe has no arguments the gateway checks
nothing either, and the tool itself would have to refuse them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import jsonschema
from jsonschema.validators import validator_for  # pyright: ignore[reportUnknownVariableType]

from .expectation import shortened


def misfit(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """The first fault of the arguments in a few words; empty when they fit."""
    try:
        known = cast("Any", validator_for)(schema, default=jsonschema.Draft202012Validator)
        known.check_schema(schema)
        fault = next(iter(known(schema).iter_errors(arguments)), None)
    except Exception:  # A reference to elsewhere, a bad pattern, an unknown draft: each has its own error.
        return ""
    if fault is None:
        return ""
    place = ".".join(map(str, fault.absolute_path))
    return shortened(f"{fault.message} (at {place})" if place else fault.message)
