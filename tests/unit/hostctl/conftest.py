"""The archive that the verbs are run from."""

from __future__ import annotations

from tests.archive import archive, run

__all__ = ["archive", "run"]
