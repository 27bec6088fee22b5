"""The expected answer: "not an error" alone is not enough."""

from __future__ import annotations

from typing import Any

import pytest

from hostctl.mcp.probe import Expectation
from verify.expectation import differs


@pytest.mark.parametrize(
    ("expected", "text", "structured"),
    [
        ({}, "", None),
        ({"contains": ["notes", "projects"]}, "projects, notes", None),
        ({"excludes": ["fetch failed"]}, "42 libraries", None),
        ({"json_path": "thoughts.0.number"}, "", {"thoughts": [{"number": 1}]}),
        ({"json_path": "number"}, '{"number": null}', None),
    ],
)
def test_an_expected_answer_does_not_differ(expected: dict[str, Any], text: str, structured: Any) -> None:
    assert differs(Expectation(**expected), text, structured) == ""


@pytest.mark.parametrize(
    ("expected", "text", "structured", "why"),
    [
        ({"contains": ["notes", "projects"]}, "projects", None, "'notes' is not in the answer: projects"),
        (
            # context7 without internet (reference: measured): an error that does not say so.
            {"excludes": ["fetch failed"]},
            "Error searching libraries: TypeError: fetch failed",
            None,
            "'fetch failed' is in the answer: Error searching libraries: TypeError: fetch failed",
        ),
        ({"json_path": "thoughts.1"}, "", {"thoughts": [1]}, "the answer has nothing at thoughts.1: "),
        ({"json_path": "number"}, "no json", None, "the answer has nothing at number: no json"),
    ],
)
def test_an_unexpected_answer_has_its_difference_described(
    expected: dict[str, Any], text: str, structured: Any, why: str
) -> None:
    assert differs(Expectation(**expected), text, structured) == why
