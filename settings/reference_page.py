"""Writes what follows from the model: the schema in Pulumi.yaml and docs/configuration.md.

Keys without a default (needed ones and secrets) are not declared: the engine would stop at the first of them with a
sentence of its own, before the program can list every problem with the line that fixes it, and it does not accept the
literal dotted spelling of such a key (tried with engine 3.259.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from settings import shared
from settings.backends import Backend, Expectation
from settings.describe import allowed, default_text, is_secret_field, plain, scalar_keys, section_of
from settings.field_rules import Section
from settings.loading import PROJECT
from settings.model import Settings

_HEADER = "# Written by `python -m settings.reference_page`; docs/configuration.md has the same keys as tables.\n"
WITH_SHARED = f"# With the values of {shared.FILE}.\n"


def project_text(values: Mapping[str, Any]) -> str:
    """Pulumi.yaml: the project, and every scalar key that has a default or may be left out.

    `values` are those that all stacks share, in the place of the model's defaults. They have no type there: the engine
    would refuse a wrong one by a sentence of its own, before the program can show every problem.
    """
    project = {
        "name": PROJECT,
        "description": "Moves one VPS from the ContextForge MCP gateway to Sentinel Gateway, on the same port, "
        "and back.",
        "runtime": {"name": "python", "options": {"virtualenv": ".venv"}},
        "config": {key: _declaration(field) for key, field in scalar_keys() if _is_declared(field)}
        | {key: {"default": value} for key, value in values.items()},
    }
    return (
        _HEADER
        + (WITH_SHARED if values else "")
        + yaml.safe_dump(project, sort_keys=False, width=120, allow_unicode=True)
    )


def _is_declared(field: FieldInfo) -> bool:
    return not field.is_required() and not is_secret_field(field) and section_of(field.annotation) is None


def _declaration(field: FieldInfo) -> dict[str, Any]:
    bare, _ = plain(field.annotation)
    description = field.description or ""
    if get_origin(bare) is tuple:
        inner, _ = plain(get_args(bare)[0])
        items = {"type": "integer" if inner is int else "string"}
        return {"type": "array", "items": items, "default": list(field.default), "description": description}
    default: Any = "" if field.default is None else field.default
    kind = {bool: "boolean", int: "integer"}.get(bare, "string")
    return {"type": kind, "default": str(default) if kind == "string" else default, "description": description}


def configuration_text() -> str:
    """docs/configuration.md: one table per section, then the backends, then the secrets."""
    lines = [
        "# Configuration",
        "",
        "<!-- Written by `python -m settings.reference_page`. -->",
        "",
        "Set a key with `pulumi config set --path KEY VALUE`, "
        "such as `pulumi config set --path sentinel.standby false`;",
        "`pulumi config set sentinel.standby false` does the same, and wins where both are set. Everything is checked",
        "before any resource is registered, and a problem is shown with the line that fixes it.",
        "Values that several stacks share: [fleet.md](fleet.md#shared-settings).",
        "Needed: `host.home`, `sentinel.image`, at least one backend, and the secrets (`make secrets STACK=…`).",
        "",
        *_table(
            "active", [("active", Settings.model_fields["active"])], "Which gateway owns the port, and nothing else."
        ),
    ]
    for name, field in Settings.model_fields.items():
        section = section_of(field.annotation)
        if section is not None and section is not Backend:
            lines += _table(name, _elements(name, section), _first_line(section))
            lines += _inner_tables(name, section)
    lines += _table("backends", _elements("backends[N]", Backend), _first_line(Backend))
    lines += _table("backends[N].expect", _elements("backends[N].expect", Expectation), _first_line(Expectation))
    lines += ["## Secrets", "", "Set with `--secret`; Pulumi prompts for the value, which is never an argument.", ""]
    lines += ["| key | what it is | allowed |", "| --- | --- | --- |"]
    lines += [
        f"| `{key}` | {_cell(field.description)} | {_cell(allowed(field))} |"
        for key, field in Settings.model_fields.items()
        if is_secret_field(field)
    ]
    return "\n".join(lines) + "\n"


def _inner_tables(name: str, section: type[Section]) -> list[str]:
    """A table for each section within a section."""
    inner = {key: section_of(field.annotation) for key, field in section.model_fields.items()}
    return [
        line
        for key, inner_section in inner.items()
        if inner_section is not None
        for line in _table(f"{name}.{key}", _elements(f"{name}.{key}", inner_section), _first_line(inner_section))
    ]


def _elements(prefix: str, section: type[Section]) -> list[tuple[str, FieldInfo]]:
    """The section's keys; a section in it has a table of its own."""
    fields = section.model_fields.items()
    return [(f"{prefix}.{name}", field) for name, field in fields if section_of(field.annotation) is None]


def _table(title: str, keys: list[tuple[str, FieldInfo]], sentence: str) -> list[str]:
    rows = [
        f"| `{key}` | {_default(key, field)} | {_cell(field.description)} | {_cell(allowed(field))} |"
        for key, field in keys
    ]
    return [
        f"## {title}",
        "",
        sentence,
        "",
        "| key | default | what it is | allowed |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
    ]


def _default(key: str, field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    text = None if section_of(field.annotation) else default_text(key, field)
    return f"`{text}`" if text and not text.startswith(("(", "{")) else "none"


def _first_line(section: type[Section]) -> str:
    return (section.__doc__ or "").strip().splitlines()[0]


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


def main() -> None:
    """Writes both files at the repository's root."""
    root = Path(__file__).resolve().parents[1]
    (root / "Pulumi.yaml").write_text(project_text(shared.read(root)), encoding="utf-8")
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs" / "configuration.md").write_text(configuration_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
