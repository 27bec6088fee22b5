"""Deletes of dependents that could not be done: reported, recorded, and never a reason to stop a rollback.

Owns: `unfinished/VERB-ACTION-HASH.json` in the product's folder, one for each request: it and the reason, to be run
again.
Deliberately does not: make an invalid request succeed, or forgive the handover.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from typing import Any

from hostctl.core import json_file
from hostctl.core.timestamps import now

FOLDER = "unfinished"
PROGRAM = "hostctl.pyz"


def report(name: tuple[str, ...], sentence: str, request: dict[str, Any]) -> dict[str, Any]:
    """Warn on stderr, keep the request for a later run, and answer as done; a record that fails is reported as well."""
    verb = " ".join(name)
    print(f"warning: {verb} was not done and the run goes on: {sentence}; `make up` repairs it", file=sys.stderr)
    path = _record(name, request)
    if path:
        content = {"verb": verb, "at": now(), "reason": sentence, "request": json.dumps(request)}
        try:
            json_file.write(path, content, folder_mode=0o750)
        except OSError as error:
            print(f"warning: {path} cannot be written ({error.strerror}): note the line above", file=sys.stderr)
    return {"removed": False, "reason": sentence}


def due(folder: str, name: tuple[str, str], sentence: str, request: dict[str, Any]) -> str:
    """Record, in the product's folder, a verb to be run should the present one be cut off; the record's path."""
    path = _path(folder, name, request)
    content = {"verb": " ".join(name), "at": now(), "reason": sentence, "request": json.dumps(request)}
    json_file.write(path, content, folder_mode=0o750)
    return path


def done(path: str) -> None:
    """Drop the record of what is no longer due."""
    json_file.remove(*os.path.split(path))


def forget(name: tuple[str, ...], request: dict[str, Any]) -> None:
    """Drop the record of a delete that has been done by now."""
    path = _record(name, request)
    if path:
        with contextlib.suppress(OSError):
            json_file.remove(*os.path.split(path))


def _record(name: tuple[str, ...], request: dict[str, Any]) -> str:
    """The record's path beside the installed program; empty for a program that is run from elsewhere."""
    program = os.path.abspath(sys.argv[0])
    if os.path.basename(program) != PROGRAM:
        return ""
    return _path(os.path.dirname(program), name, request)


def _path(folder: str, name: tuple[str, ...], request: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:12]
    return os.path.join(folder, FOLDER, f"{'-'.join(name)}-{digest}.json")
