"""Each dependency earns its line: docs/dependencies.md names every package of pyproject.toml, and no other."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from console.paths import ROOT


def test_every_package_has_its_reason_and_every_reason_its_package() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    required = [
        *project["project"]["dependencies"],
        *(one for group in project["dependency-groups"].values() for one in group),
    ]
    packages = {re.split(r"[\[=<>]", one)[0] for one in required}
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    _, _, section = page.partition("## Each Python package, and why\n")
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])} == packages
