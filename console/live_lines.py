"""A block of lines at the end of a terminal that is drawn again in its place."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TextIO


class LiveLines:
    """The block; nothing at all where `out` is no terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._drawn = 0
        self.live = out.isatty()

    def height(self) -> int:
        """The lines that a block may have."""
        return max(3, shutil.get_terminal_size().lines - 2)

    def draw(self, lines: Sequence[str]) -> None:
        """These lines in the place of the former ones."""
        if not self.live:
            return
        width = shutil.get_terminal_size().columns - 1
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        self._out.write(up + "".join(f"\x1b[2K{line[:width]}\n" for line in lines) + "\x1b[J")
        self._out.flush()
        self._drawn = len(lines)

    def clear(self) -> None:
        """No lines; what is written next begins where they began."""
        self.draw([])
