"""A value with outputs inside, joined: as the SDK's own `Output.from_input`, with fewer outputs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime.settings import SETTINGS

from components.base.joined import joined

Facts = tuple[object, bool, bool]


async def future(value: Any) -> Any:
    return value


def output(value: object, *, known: bool = True, secret: bool = False) -> pulumi.Output[Any]:
    return pulumi.Output(set(), future(value), future(known), future(secret))


def facts(made: Callable[[], pulumi.Output[Any]]) -> Facts:
    async def read() -> Facts:
        found = made()
        read: Awaitable[Any] = asyncio.gather(found.future(), found.is_known(), found.is_secret())
        value, known, secret = await read
        return value, known, secret

    return asyncio.run(read())


VALUES: dict[str, Callable[[], object]] = {
    "empty": lambda: dict[str, object](),
    "plain": lambda: {"a": 1, "b": [None, ("x", 2)], "c": {"d": (3,)}},
    "nested": lambda: {"a": output("x"), "b": [output(1), {"c": output({"d": [2]})}], "e": (output("y"),)},
    "an output": lambda: output({"a": 1}),
    "secret": lambda: [output("x", secret=True), 1],
    "unknown": lambda: {"a": output(None, known=False), "b": output("x", secret=True)},
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_it_is_what_the_sdk_makes_of_it(value: Callable[[], object]) -> None:
    assert facts(lambda: joined(value())) == facts(lambda: pulumi.Output.from_input(value()))


def test_plain_values_cost_no_outputs() -> None:
    program: Any = SETTINGS

    async def outputs(value: object) -> int:
        before = len(program.outputs)
        made = joined(value)
        added = len(program.outputs) - before
        await made.future()
        return added

    document = {f"key {number}": list(range(50)) for number in range(50)}
    assert asyncio.run(outputs(document)) == asyncio.run(outputs({})) <= 3
