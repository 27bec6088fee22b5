"""A value with outputs inside, as one output.

`pulumi.Output.from_input` creates an output for each key and value of a mapping, even of plain ones: with it the
program takes a sixth more processor time. Here only the outputs that the value contains are awaited.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import pulumi


def joined(value: pulumi.Input[Any]) -> pulumi.Output[Any]:
    """The value with each output in its mappings and sequences replaced by that output's value.

    It depends on what they depend on, is unknown if one of them is, and a secret if one of them is.
    """
    outputs = list(_outputs(value))
    return _values(outputs).apply(lambda known: _replaced(value, iter(known)))


def _outputs(value: object) -> Iterator[pulumi.Output[Any]]:
    if isinstance(value, pulumi.Output):
        yield cast("pulumi.Output[Any]", value)
    elif isinstance(value, Mapping):
        for inner in cast("Mapping[str, object]", value).values():
            yield from _outputs(inner)
    elif isinstance(value, (list, tuple)):
        for inner in cast("Sequence[object]", value):
            yield from _outputs(inner)


def _replaced(value: object, known: Iterator[object]) -> object:
    """In the order of `_outputs`."""
    if isinstance(value, pulumi.Output):
        return next(known)
    if isinstance(value, Mapping):
        return {name: _replaced(inner, known) for name, inner in cast("Mapping[str, object]", value).items()}
    if isinstance(value, (list, tuple)):
        inners = [_replaced(inner, known) for inner in cast("Sequence[object]", value)]
        return tuple(inners) if isinstance(value, tuple) else inners
    return value


def _values(outputs: Sequence[pulumi.Output[Any]]) -> pulumi.Output[Sequence[object]]:
    values: pulumi.Output[Any] = pulumi.Output.from_input(())
    for output in outputs:
        # Unknown ones too, since what an unknown value depends on counts.
        values = values.apply(partial(_with, output), run_with_unknowns=True)
    return values


def _with(output: pulumi.Output[Any], before: Sequence[object]) -> pulumi.Output[Any]:
    return output.apply(lambda value: (*before, value), run_with_unknowns=True)
