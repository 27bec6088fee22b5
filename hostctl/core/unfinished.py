"""Deletes of dependents that could not be done: reported, recorded, and never a reason to stop a rollback.

Owns: `unfinished/VERB-ACTION.json` in the product's folder: the reason and the request, to be run again.
Deliberately does not: make an invalid request succeed, or forgive the handover.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from hostctl.core import atomic_file
from hostctl.core.timestamps import now

FOLDER = "unfinished"
PROGRAM = "hostctl.pyz"


def report(name: tuple[str, ...], sentence: str, request: str) -> dict[str, Any]:
    """Warn on stderr, keep the request for a later run, and answer as done; a record that fails is reported as well."""
    verb = " ".join(name)
    print(f"warning: {verb} was not done and the rollback goes on: {sentence}; `make up` repairs it", file=sys.stderr)
    path = _record(name)
    if path:
        content = {"verb": verb, "at": now(), "reason": sentence, "request": request}
        try:
            os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
            atomic_file.write(path, (json.dumps(content, indent=1) + "\n").encode(), 0o600)
        except OSError as error:
            print(f"warning: {path} cannot be written ({error.strerror}): note the line above", file=sys.stderr)
    return {"removed": False, "reason": sentence}


def forget(name: tuple[str, ...]) -> None:
    """Drop the record of a delete that has been done by now."""
    path = _record(name)
    if path:
        with contextlib.suppress(OSError):
            os.unlink(path)
            os.rmdir(os.path.dirname(path))


def _record(name: tuple[str, ...]) -> str:
    """The record's path beside the installed program; empty for a program that is run from elsewhere."""
    program = os.path.abspath(sys.argv[0])
    if os.path.basename(program) != PROGRAM:
        return ""
    return os.path.join(os.path.dirname(program), FOLDER, f"{'-'.join(name)}.json")
