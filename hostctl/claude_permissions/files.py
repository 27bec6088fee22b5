"""The files in which Claude Code's rules can name an entry or a tool.

Deliberately does not: change managed settings, which belong to the machine's administrator; they are read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from hostctl.claude_client.found_entries import config_folders, user_files
from hostctl.claude_client.record import read_file
from hostctl.claude_client.request import Place
from hostctl.core.documents import parsed, table
from hostctl.core.errors import Refusal

MANAGED = "/etc/claude-code/managed-settings.json"
_SETTINGS = ("settings.json", "settings.local.json")
_TEXTS = ("agents", "commands", "skills")


def rule_files(place: Place) -> list[str]:
    """Every file that exists: of the configuration folders, of Claude itself, and of the projects that it knows."""
    users = user_files(place)
    homes = [os.path.join(place.home, ".claude")] if place.home else []
    folders = [*homes, *config_folders(place), *(os.path.join(path, ".claude") for path in projects(users))]
    found = [*(os.path.join(folder, name) for folder in folders for name in _SETTINGS), *users]
    found += [path for folder in folders for kind in _TEXTS for path in _texts(os.path.join(folder, kind))]
    return list({os.path.realpath(path): path for path in reversed(found) if os.path.isfile(path)}.values())[::-1]


def projects(users: list[str]) -> list[str]:
    """The projects of Claude's files, without those that are gone."""
    known: dict[str, None] = {}
    for file in users:
        try:
            document = parsed(read_file(file) or "{}") or {}
        except Refusal:
            continue
        known |= dict.fromkeys(map(str, table(document.get("projects"))))
    return [path for path in known if os.path.isabs(path) and os.path.isdir(path)]


def managed() -> dict[str, Any]:
    """The machine's managed settings, empty where there are none that can be read."""
    try:
        return parsed(read_file(MANAGED) or "{}") or {}
    except (Refusal, json.JSONDecodeError):
        return {}


def _texts(folder: str) -> Iterator[str]:
    for within, _, names in os.walk(folder):
        yield from (os.path.join(within, name) for name in sorted(names) if name.endswith(".md"))
