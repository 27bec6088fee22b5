"""The backends as the two stack files name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from console.paths import ROOT


def _backends(file: str) -> dict[str, Mapping[str, Any]]:
    config = yaml.safe_load((ROOT / file).read_text())["config"]
    return {backend["name"]: backend for backend in config["sentinel-cutover:backends"]}


LAB = _backends("lab/stack.yaml")
OPERATOR = _backends("Pulumi.prod.yaml")
