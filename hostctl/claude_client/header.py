"""`header install|remove`: the program that prints Claude's header, and the predecessor's Authorization values for it.

A session that Claude began with our entry keeps it in memory and runs the program at its next refused call, after a
rollback too. So the program belongs to the stack and not to the entry: it leaves the host with the stack only.

Owns: `headers`, `headers.py` and `authorizations` in the product's folder for Claude.
Deliberately does not: touch the token file, or leave `authorizations` readable for anyone but Claude's user.
"""

from __future__ import annotations

import os
import pkgutil
import shlex
from typing import Any

from hostctl.claude_client.record import HELPER, RECORD, make_folder, owner_of, read_file
from hostctl.claude_client.recorded_client import recorded_client
from hostctl.claude_client.request import EntryRequest
from hostctl.core import atomic_file, json_file

PROGRAM, AUTHORIZATIONS = "headers.py", "authorizations"
_START = """#!/bin/sh
# Claude Code runs this at every connect (headersHelper) and sends the header that it prints.
exec python3 -I -S {arguments}
"""


def install(place: EntryRequest) -> dict[str, Any]:
    """Write the program, and the predecessor's values once Claude's entry is recorded. {"helper", "changed"}"""
    make_folder(place)
    program, authorizations = place.within(PROGRAM), place.within(AUTHORIZATIONS)
    arguments = shlex.join([program, place.url, place.token_file, authorizations])
    source = pkgutil.get_data("hostctl.claude_client", "header_program.py") or b""
    changed = [
        _written(program, source.decode(), 0o644),
        _write_authorizations(place, authorizations),
        _written(place.helper, _START.format(arguments=arguments), 0o755),
    ]
    return {"helper": place.helper, "changed": any(changed)}


def remove(place: EntryRequest) -> dict[str, Any]:
    """Remove the program and its values; what is gone already is not an error."""
    removed = json_file.remove(place.folder, HELPER, PROGRAM, AUTHORIZATIONS)
    return {"helper": place.helper, "removed": bool(removed)}


def _write_authorizations(place: EntryRequest, path: str) -> bool:
    if not os.path.exists(place.within(RECORD)):
        # After a rollback: the sessions that it left need the former values.
        return False
    text = "".join(f"{value}\n" for value in recorded_client(place.folder).authorizations)
    if read_file(path) == text:
        return False
    atomic_file.write(path, text.encode(), 0o600, *owner_of(place.file))
    return True


def _written(path: str, text: str, mode: int) -> bool:
    if read_file(path) == text and os.stat(path).st_mode & 0o777 == mode:
        return False
    atomic_file.write(path, text.encode(), mode)
    return True
