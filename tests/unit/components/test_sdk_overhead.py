"""The SDK's debug messages are not sent, and the program's outputs are waited for once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks, settings, stack

from components.base import sdk_overhead

OUTPUTS = 40


class _Nothing(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        return f"{args.name}-id", {}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], None]:
        return {}, None


def run(program: Callable[[], None]) -> None:
    async def function() -> None:
        program()

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        mocks.set_mocks(_Nothing())
        loop.run_until_complete(asyncio.wait_for(stack.run_pulumi_func(function), 10))
    finally:
        settings.reset_options()
        loop.close()
        asyncio.set_event_loop(None)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of outputs of each wait."""
    seen: list[int] = []
    wait = asyncio.wait

    async def counted(tasks: Any, **options: Any) -> Any:
        seen.append(len(tasks))
        return await wait(tasks, **options)

    monkeypatch.setattr(asyncio, "wait", counted)
    monkeypatch.setattr(pulumi.log, "debug", pulumi.log.debug)
    return seen


def chained(values: list[object]) -> None:
    """Outputs of which each has its value later than the one before; the last one adds another."""

    async def later(number: int) -> int:
        await asyncio.sleep(0.005 * number)
        return number

    for number in range(OUTPUTS):
        pulumi.Output.from_input(later(number)).apply(values.append)
    pulumi.Output.from_input(later(OUTPUTS)).apply(lambda _: pulumi.Output.from_input("late").apply(values.append))


def test_the_outputs_are_waited_for_once_and_all_of_them(waits: list[int]) -> None:
    values: list[object] = []

    def program() -> None:
        sdk_overhead.leave_out()
        chained(values)

    run(program)
    assert values == [*range(OUTPUTS), "late"]
    ours = len(waits)
    waits.clear()
    run(lambda: chained([]))
    assert 0 < ours < 5 < len(waits)


def test_an_output_that_fails_ends_the_run_with_its_error(waits: list[int]) -> None:
    never = asyncio.Event()

    async def pending() -> None:
        await never.wait()

    def fails(_: object) -> None:
        raise LookupError("no such thing")

    def program() -> None:
        sdk_overhead.leave_out()
        pulumi.Output.from_input(pending())
        pulumi.Output.from_input("x").apply(fails)

    with pytest.raises(LookupError, match="no such thing"):
        run(program)
    assert waits


def test_no_debug_message_is_sent(waits: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def program() -> None:
        pulumi.log.debug("before")
        sdk_overhead.leave_out()
        pulumi.ComponentResource("tests:index:One", "one")

    monkeypatch.setattr(pulumi.log, "debug", sent.append)
    run(program)
    assert sent[-1] == "before"
    assert waits
