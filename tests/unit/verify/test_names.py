"""ContextForge's names as measured (`reference/contextforge.md`) and as its own slug function makes them."""

from __future__ import annotations

import pytest

from verify.names import offered_name, repeated


@pytest.mark.parametrize(
    ("backend", "tool", "offered"),
    [
        ("sequential-thinking", "sequentialthinking", "sequential-thinking-sequentialthinking"),
        ("sqlite", "list_tables", "sqlite-list-tables"),
        ("context7", "resolve-library-id", "context7-resolve-library-id"),
        ("Fire_Crawl", "firecrawl_scrape", "fire-crawl-firecrawl-scrape"),
        ("café", "it's", "cafe-its"),
    ],
)
def test_contextforge_prefixes_and_slugs_a_tool_and_sentinel_leaves_it_alone(
    backend: str, tool: str, offered: str
) -> None:
    assert offered_name("contextforge", backend, tool) == offered
    assert offered_name("sentinel", backend, tool) == tool


@pytest.mark.parametrize(
    ("offered", "twice"),
    [
        (["read_query", "list_tables"], []),
        (["search", "exa__search"], ["search"]),
        (["search", "search"], ["search"]),
        # No backend of ours has this prefix, or no tool has the name after it.
        (["search", "web__search"], []),
        (["exa__search"], []),
    ],
)
def test_a_name_of_two_backends_is_found_however_the_gateway_shows_it(offered: list[str], twice: list[str]) -> None:
    assert repeated(offered, ["exa", "sqlite"]) == twice
