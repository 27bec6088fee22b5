"""Pulumi.lab.yaml: rendered from lab/stack.yaml, without undoing what was set since.

Owns: the rendering, and merging it into the file that exists: a value that is as it was rendered last time
follows the template, any other is the operator's (`pulumi config set`) or the engine's (secrets, salt).
Deliberately does not: make secrets (ops/engine/stack_secrets.py), nor check the settings (settings/).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, cast

import yaml

from lab.box import Box

TEMPLATE = Path(__file__).with_name("stack.yaml")
HARDENED = Path(__file__).with_name("hardened.yaml")
"""The hardened profile's differences."""

Tree = dict[str, Any]


def render(box: Box) -> Tree:
    """The stack file as the template has it for this box; raises KeyError when an image is not loaded."""
    values = {"docker_socket": box.docker_socket, "folder": box.folder, "home": box.home}
    values["cron_folder"] = str(box.cron)
    values |= {f"image_{name}": tag for name, tag in box.images.items()}
    plain = _parsed(Template(TEMPLATE.read_text()).substitute(values))
    if not box.hardened:
        return plain
    values |= {f"ssh_{key}": str(value) for key, value in box.ssh.model_dump().items()}
    return merged(_parsed(Template(HARDENED.read_text()).substitute(values)), {}, plain)


def write(file: Path, rendered_before: Path, box: Box) -> None:
    """Bring the stack file up to date; `rendered_before` keeps what the template gave last time."""
    new = render(box)
    current = _parsed(file.read_text()) if file.exists() else {}
    before = _parsed(rendered_before.read_text()) if rendered_before.exists() and current else {}
    _write_whole(file, merged(current, before, new))
    _write_whole(rendered_before, new)


def keys(file: Path) -> set[str]:
    """The configuration keys of a stack file, secrets included, without the project's name."""
    return {name.rpartition(":")[2] for name in _parsed(file.read_text()).get("config", {})}


def merged(current: Tree, before: Tree, new: Tree) -> Tree:
    """Three-way merge over nested mappings; lists and plain values count as one."""
    result: Tree = {}
    for key in [*new, *(key for key in current if key not in new)]:
        values = current.get(key), before.get(key), new.get(key)
        if all(value is None or isinstance(value, Mapping) for value in values):
            trees = [cast(Tree, value or {}) for value in values]
            result[key] = merged(trees[0], trees[1], trees[2])
        elif key in current and current[key] != before.get(key):
            result[key] = current[key]
        elif key in new:
            result[key] = new[key]
    return result


def _parsed(text: str) -> Tree:
    return cast(Tree, yaml.safe_load(text) or {})


def _write_whole(file: Path, tree: Tree) -> None:
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)
    if file.exists() and file.read_text() == text:
        return
    candidate = file.with_name(file.name + ".new")
    candidate.write_text(text)
    os.replace(candidate, file)
