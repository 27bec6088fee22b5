"""Which lines of a Dockerfile fetch what nobody pinned."""

from __future__ import annotations

import pytest

from hostctl.dockerfile import unpinned


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("FROM debian", "FROM an image without a tag or at latest"),
        ("FROM registry.example:5000/debian AS base", "FROM an image without a tag or at latest"),
        ("FROM --platform=linux/amd64 node:latest", "FROM an image without a tag or at latest"),
        ("ADD https://example.com/a.tar /", "ADD of an address without --checksum"),
        ("RUN curl -fsSL https://example.com/install | sh", "a script out of the network piped into a shell"),
        ("RUN apt-get update \\\n # why\n && wget -qO- https://example.com/x | sudo bash -s", "piped into a shell"),
        ("RUN npx -y exa-mcp-server", "a package run by npx or uvx"),
        ("RUN uvx mcp-server-sqlite", "a package run by npx or uvx"),
        ("RUN npm install -g firecrawl-mcp@latest", "a package at @latest"),
        ("RUN npm install -g @playwright/mcp", "npm without a version"),
        ("RUN npm i exa-mcp-server && true", "npm without a version"),
        ("RUN python3 -m pip install --no-cache-dir starlette", "pip without =="),
    ],
)
def test_what_is_not_pinned_is_found_with_its_line(line: str, reason: str) -> None:
    found = unpinned(f"# a comment\nARG BASE\n{line}\n")
    assert found is not None and found.startswith("line 3 (") and reason in found


@pytest.mark.parametrize(
    "line",
    [
        "FROM scratch",
        "FROM ${BASE}",
        "FROM debian:12",
        "FROM registry.example:5000/debian@sha256:" + "a" * 64,
        "FROM debian:12 AS base\nFROM base",
        "ADD --checksum=sha256:aa https://example.com/a.tar /",
        "ADD a.tar /",
        "RUN curl -fsS https://example.com/health",
        "RUN npm ci --ignore-scripts",
        "RUN npm install -g @playwright/mcp@0.0.83",
        "RUN pip install starlette==1.0.0",
        "RUN pip install --no-deps --require-hashes -r requirements.lock",
        "RUN apt-get install -y python3",
    ],
)
def test_what_is_pinned_is_let_through(line: str) -> None:
    assert unpinned(f"{line}\n") is None
