"""`$` in provisioning files, as Grafana expands it.

Owns: `$__env{NAME}`, `$__file{PATH}` (trimmed), `${NAME}`, then Go's `os.ExpandEnv` over the result; `$$` is a `$`.
The last step eats a `$` inside a secret that was just read; that is Grafana's own defect (issue 130055), kept here.
Deliberately does not: decide which fields are expanded (provisioning.py does).
Source: `pkg/services/provisioning/values/values.go`, `pkg/setting/expanders.go`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, cast

_EXPANDER = re.compile(r"\$__(env|file)\{([^}]*)\}|\$\{([^}]*)\}")
_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*)|([*#$@!?\-0-9]))?")


def expanded(value: Any) -> Any:
    """The value with every text in it expanded; raises OSError when a file that it names is not there."""
    if isinstance(value, str):
        return "$".join(_expanded(part) for part in value.split("$$"))
    if isinstance(value, list):
        return [expanded(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: expanded(one) for key, one in cast("dict[str, Any]", value).items()}
    return value


def _expanded(text: str) -> str:
    return _VARIABLE.sub(_from_environment, _EXPANDER.sub(_from_expander, text))


def _from_expander(found: re.Match[str]) -> str:
    kind, argument, plain = found.groups()
    if kind == "file":
        return Path(argument.strip()).read_text(encoding="utf-8").strip()
    return os.environ.get((argument if kind else plain).strip(), "")


def _from_environment(found: re.Match[str]) -> str:
    name = found.group(1) or found.group(2) or ""
    return os.environ.get(name, "")
