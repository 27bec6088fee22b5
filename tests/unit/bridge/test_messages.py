"""Lines within a limit, and the JSON that the gateway takes."""

from __future__ import annotations

import asyncio
import json

import pytest

from bridge.messages import DEEPEST, NotStrict, strict
from bridge.pipes import lines


def read(content: bytes, limit: int) -> list[tuple[bytes, bool]]:
    async def all_lines() -> list[tuple[bytes, bool]]:
        reader = asyncio.StreamReader()
        reader.feed_data(content)
        reader.feed_eof()
        return [line async for line in lines(reader, limit)]

    return asyncio.run(all_lines())


def test_a_line_over_the_limit_comes_cut_and_the_next_one_is_whole() -> None:
    long = b"x" * 1_000_000
    assert read(b"1\n" + long + b"\n22\n\n333", 3) == [
        (b"1", True), (b"xxx", False), (b"22", True), (b"", True), (b"333", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "as_the_gateway_takes_it"),
    [
        (b' {"a": 1}\r', b'{"a": 1}'),
        (b'\xef\xbb\xbf{"a": 1}', b'{"a": 1}'),
        (b'{"a":"cut \\ud83d"}', '{"a":"cut \ufffd"}'.encode()),
        (b'{"a":"\\ud83d\\ude00"}', '{"a":"\U0001f600"}'.encode()),
        (b'{"a":"\xff"}', '{"a":"\ufffd"}'.encode()),
        (b"[" * DEEPEST + b"]" * DEEPEST, b"[" * DEEPEST + b"]" * DEEPEST),
    ],
)
def test_what_can_be_repaired_is(line: bytes, as_the_gateway_takes_it: bytes) -> None:
    value, clean = strict(line)
    assert clean == as_the_gateway_takes_it
    assert json.loads(clean) == value


@pytest.mark.parametrize(
    "line",
    [b"", b"no JSON", b'{"a": NaN}', b"[1e400]", b'{"a": -Infinity}', b"[" * 128 + b"]" * 128, b"[" * 200_000],
)
def test_what_the_gateway_would_skip_is_refused(line: bytes) -> None:
    with pytest.raises(NotStrict):
        strict(line)
