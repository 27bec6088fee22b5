"""One of Claude's files, replaced in one step while Claude may rewrite it at any moment."""

from __future__ import annotations

import os
from collections.abc import Callable

from hostctl.claude_client.record import owner_of, read_file
from hostctl.core import atomic_file, folders
from hostctl.core.errors import Refusal

ATTEMPTS = 20


class _Changed(Exception):
    """The file has changed since it was read."""


def rewrite(path: str, change: Callable[[str | None], str | None]) -> bool:
    """Read, change, compare, rename; true when the file changed. A `change` of None removes the file.

    Mode and owner stay, and a symbolic link too. Raises Refusal, and then the file is as it was.
    """
    for _ in range(ATTEMPTS):
        text = read_file(path)
        new = change(text)
        if new == text:
            return False

        def guard(seen: str | None = text) -> None:
            if read_file(path) != seen:
                raise _Changed

        try:
            if new is None:
                guard()
                os.unlink(folders.followed(path))
            else:
                owner = owner_of(path) if text is None else (-1, -1)
                atomic_file.write(path, new.encode(), None, *owner, guard=guard)
        except _Changed:
            continue
        except OSError as error:
            raise Refusal(
                f"{path} cannot be written ({error.strerror}): fix that, then run again; it was left as it is"
            ) from None
        return True
    raise Refusal(f"{path} changed {ATTEMPTS} times while it was edited: end the running Claude, then run again")
