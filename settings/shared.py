"""`Pulumi.fleet.yaml`: the values that every stack shares, as defaults of the project.

The engine lays a project's defaults under each stack's own values, key by key, and records the result with each update.
So the file's values go into `Pulumi.yaml`, and plain `pulumi`, the history and a rollback know them as any other value.

Owns: reading the file. Deliberately does not: hold a secret, whose key is each stack's own; nor check a value, which
the model does for each stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from settings.describe import field_at, plain, section_of
from settings.loading import PROJECT
from settings.model import SECRET_KEYS

FILE = "Pulumi.fleet.yaml"
"""No stack may be named `fleet`, since this would be its own file."""


class SharedRefused(ValueError):
    """The file cannot be used; the sentence says why, and how to fix it."""


def read(root: Path) -> dict[str, Any]:
    """The file's values by key, sections opened: `host.port`, but `backends` as one list. Empty without a file."""
    try:
        text = (root / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        document: Any = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise SharedRefused(f"{FILE} is no YAML: {' '.join(str(error).split())}.") from None
    config = cast("Mapping[str, Any]", document).get("config") if isinstance(document, Mapping) else None
    if not isinstance(config, Mapping) or set(cast("Mapping[str, Any]", document)) != {"config"}:
        raise SharedRefused(f"{FILE} has values under `config:` and nothing else, written as in a stack's own file.")
    values = _opened(cast("Mapping[str, Any]", config))
    for key, value in values.items():
        if key.split(".")[0] in SECRET_KEYS or _has_secret(value):
            raise SharedRefused(
                f"{FILE} has a secret, {key}: each stack has its own (`make secrets STACK=…`), so take it out there."
            )
    return values


def _opened(config: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in config.items():
        key = name.removeprefix(f"{PROJECT}:")
        if ":" in key:
            raise SharedRefused(f"{FILE} has {name}, which is no setting of {PROJECT}: take it out.")
        if _is_section(key) and isinstance(value, Mapping):
            values |= {f"{key}.{inner}": _scalar(one) for inner, one in cast("Mapping[str, Any]", value).items()}
        else:
            values[key] = _scalar(value)
    return values


def _is_section(key: str) -> bool:
    """True for a key such as `host`, whose keys have defaults of their own; not for a list of sections."""
    field = field_at([key])
    return (
        field is not None and isinstance(plain(field.annotation)[0], type) and section_of(field.annotation) is not None
    )


def _scalar(value: Any) -> Any:
    """The engine takes a fraction for an object."""
    return str(value) if isinstance(value, float) else value


def _has_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return "secure" in members or any(map(_has_secret, members.values()))
    return isinstance(value, list) and any(map(_has_secret, cast("list[Any]", value)))
