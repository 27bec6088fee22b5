"""`make settings`: every value of a stack, and the file that it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from console.progress import Progress
from console.result import Result
from console.table import columns
from ops.engine import origins, prerequisites, run
from ops.engine.run import open_stack


def settings(stack: str, progress: Progress) -> Result:
    """No secret is shown. The values are not checked: `make preview` does that."""
    prerequisites.require_configuration(stack)
    prerequisites.toolchain_only(progress)
    open_stack(stack, progress)
    found = list(origins.origins(stack, run.ROOT))
    document = [{"key": one.key, "value": one.value, "from": one.place, "secret": one.secret} for one in found]
    rows = [(one.key, one.place, _shown(one)) for one in found]
    return Result(document, "\n".join(columns([("key", "from", "value"), *rows])))


def _shown(one: origins.Origin) -> str:
    if one.secret:
        return "" if one.place == origins.NOT_SET else "(secret)"
    value: object = one.value
    if isinstance(value, list):
        return ", ".join(map(_name, cast("Sequence[Any]", value)))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _name(element: object) -> str:
    """A backend by its name; JSON=1 has the whole."""
    return str(cast("Mapping[str, Any]", element).get("name", "?")) if isinstance(element, Mapping) else str(element)
