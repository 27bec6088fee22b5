"""Small JSON files that the product keeps on the host: written whole, read back, removed with the folder they leave."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from hostctl.core import atomic_file, folders
from hostctl.core.documents import parsed
from hostctl.core.errors import Refusal


def read(path: str, fix: str = "") -> dict[str, Any] | None:
    """The object in the file, None without a file.

    A file that holds no object reads as an empty one, or raises Refusal with `fix` where one is given.
    """
    try:
        with open(path, "rb") as file:
            values = parsed(file.read())
    except FileNotFoundError:
        return None
    if values is None and fix:
        raise Refusal(f"{path} is not JSON: {fix}")
    return values or {}


def write(path: str, values: Mapping[str, Any], mode: int = 0o600, folder_mode: int = 0o755) -> None:
    """Write the object in one step, and make its folder where there is none. Raises OSError."""
    folders.make(os.path.dirname(path), folder_mode)
    atomic_file.write(path, (json.dumps(values, indent=1, sort_keys=True) + "\n").encode(), mode)


def remove(folder: str, *names: str) -> list[str]:
    """Remove these files, and the folder if it is empty then; the paths that were there."""
    paths = [os.path.join(folder, name) for name in names if os.path.lexists(os.path.join(folder, name))]
    for path in paths:
        os.unlink(path)
    if os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)
    return paths
