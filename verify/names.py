"""The name of a tool at each gateway.

Owns: ContextForge's renaming (its `mcpgateway/utils/create_slug.py`): `list_tables` of the gateway registered as
`sqlite` is offered as `sqlite-list-tables`. Sentinel offers every tool under the backend's own name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal
from unicodedata import normalize

Active = Literal["sentinel", "contextforge"]

_CONTRACTION = re.compile(r"(\w)[''](\w)")
_SEPARATED = re.compile(r"[\W_]+")


def offered_name(active: Active, backend: str, tool: str) -> str:
    """The name under which the active gateway offers a backend's tool."""
    if active == "sentinel":
        return tool
    return f"{prefix(backend)}{_slug(tool)}"


def repeated(offered: Sequence[str], backends: Sequence[str]) -> list[str]:
    """The tools that two backends have, as the gateway shows it.

    It lists the second one as BACKEND__TOOL, under which nobody can call it.
    """
    renamed = {name: name.partition("__") for name in offered}
    hidden = {tool for owner, _, tool in renamed.values() if owner in backends and tool in offered}
    return sorted(hidden | {name for name in offered if list(offered).count(name) > 1})


def prefix(backend: str) -> str:
    """ContextForge's prefix of each of a backend's tools."""
    return f"{_slug(backend)}-"


def _slug(text: str) -> str:
    joined = _CONTRACTION.sub(r"\1\2", text.lower())
    return normalize("NFKD", _SEPARATED.sub("-", joined).strip("-")).encode("ascii", "ignore").decode()
