"""`make status` names each disk of the product's that an alert would name, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from ops.commands import status
from ops.engine import host
from settings import load
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration


@pytest.mark.parametrize(
    ("free", "named"), [(0.0, "the disk with the backups has 0% free: make room"), (0.09, "9% free"), (0.1, "")]
)
def test_a_disk_below_the_share_of_the_alert_is_named(monkeypatch: pytest.MonkeyPatch, free: float, named: str) -> None:
    def run(stack: str, known: object, verb: str, action: str, document: dict[str, Any]) -> dict[str, Any]:
        assert (verb, action, set(document)) == ("resources", "free", {"folder", "backups"})
        return {"disks": {"product": 0.5, "docker": 0.5, "backups": free}}

    monkeypatch.setattr(host, "run", run)
    found = status.nearly_full("prod", load(configuration(), SECRET_KEYS))
    assert len(found) == bool(named) and named in "".join(found)
