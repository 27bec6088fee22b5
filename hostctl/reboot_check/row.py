"""One row of a check after a boot: a part of the host, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One part. `final`: it is not well, and waiting will not change that."""

    part: str
    ok: bool
    detail: str = ""
    final: bool = False

    @property
    def finished(self) -> bool:
        return self.ok or self.final
