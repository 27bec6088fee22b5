"""The values that all stacks share (`Pulumi.fleet.yaml`), brought into `Pulumi.yaml` before each run of the engine.

Deliberately does not: touch a `Pulumi.yaml` that no file of shared values concerns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from console.errors import UserError
from hostctl.core import atomic_file
from settings import shared
from settings.reference_page import WITH_SHARED, project_text


def apply(root: Path) -> None:
    """Bring `Pulumi.yaml` in line with the shared values; raises UserError where these cannot be used."""
    values, file = read(root), root / "Pulumi.yaml"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    if (values or WITH_SHARED in text) and text != project_text(values):
        atomic_file.write(str(file), project_text(values).encode())


def read(root: Path) -> dict[str, Any]:
    """The shared values by key; raises UserError."""
    try:
        return shared.read(root)
    except shared.SharedRefused as error:
        raise UserError(str(error)) from None
