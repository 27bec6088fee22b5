"""Arguments against schemas, as the published gateway checks them."""

from __future__ import annotations

from typing import Any

import pytest

from verify.arguments import misfit

SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"maximum": 5}}, "required": ["query"]}


@pytest.mark.parametrize(
    ("schema", "arguments", "fault"),
    [
        (SCHEMA, {"query": "x"}, ""),
        (SCHEMA, {"query": "x", "limit": 9}, "9 is greater than the maximum of 5 (at limit)"),
        (SCHEMA, {}, "'query' is a required property"),
        ({}, {"anything": 1}, ""),
    ],
)
def test_the_first_fault_is_said_with_its_place(schema: dict[str, Any], arguments: dict[str, Any], fault: str) -> None:
    assert misfit(schema, arguments) == fault


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://elsewhere.example/schema"},
        {"properties": {"query": {"pattern": "("}}},
        {"type": "no type"},
        {"$schema": "https://elsewhere.example/draft", "type": "no type"},
    ],
)
def test_a_schema_that_cannot_be_compiled_checks_nothing(schema: dict[str, Any]) -> None:
    assert misfit(schema, {"query": "x"}) == ""
