"""ContextForge's names as measured (`reference/contextforge.md`) and as its own slug function makes them."""

from __future__ import annotations

import pytest

from verify.names import offered_name


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
