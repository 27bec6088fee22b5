"""`${VAR}` and `${VAR:-x}` in an entry of Claude's file, expanded as Claude expands them.

An unset variable without a default stays as it is written.
"""

from __future__ import annotations

import os
import re
from typing import Any

from hostctl.core.documents import rows, table

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def expanded(value: Any, unset: set[str]) -> Any:
    """The value with every variable expanded; names without a value are added to `unset`."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _value(match, unset), value)
    if isinstance(value, dict):
        return {key: expanded(item, unset) for key, item in table(value).items()}
    if isinstance(value, list):
        return [expanded(item, unset) for item in rows(value)]
    return value


def _value(match: re.Match[str], unset: set[str]) -> str:
    name, otherwise = match.group(1), match.group(2)
    if name in os.environ:
        return os.environ[name]
    if otherwise is not None:
        return otherwise
    unset.add(name)
    return match.group(0)
