"""Verbs one after the other in one process: a request is a line of JSON on stdin, its answer a line of JSON on stdout.

A command of the operator's asks the host a dozen questions, and to start Python and compile a verb takes longer than
most verbs do. Each verb runs in a child, so that none finds what another one changed in the process.

A request is `{"verb": ["stack", "show"], "document": "{…}"}`, an answer `{"code": 0, "stdout": "{…}", "stderr": ""}`.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hostctl.__main__ import main
from hostctl.verbs import VERBS


def serve() -> None:
    """Answer requests until stdin ends."""
    # Ctrl-C is for the verb at work; the command that the operator ended may have another question.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        print(json.dumps(_answer(request["verb"], request["document"])), flush=True)


def _answer(verb: Sequence[str], document: str) -> dict[str, Any]:
    _imported(verb)
    # In memory, since a rollback must not need room on the disk.
    out, err = os.memfd_create("stdout"), os.memfd_create("stderr")
    child = os.fork()
    if not child:
        _become(verb, document, out, err)
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "stdout": _text(out), "stderr": _text(err)}


def _imported(verb: Sequence[str]) -> None:
    """Import the verb's module here, so that it and what it shares with others is compiled once."""
    name = VERBS.get((verb[0], verb[1])) if len(verb) == 2 else None
    if name:
        # The child reports the error.
        with suppress(Exception):
            importlib.import_module(f"hostctl.{name.rpartition('.')[0]}")


def _become(verb: Sequence[str], document: str, out: int, err: int) -> None:
    """Run the verb in this process and end it."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor, own in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
            os.dup2(descriptor, own)
        sys.stdin = io.TextIOWrapper(io.BytesIO(document.encode()))
        code = main(list(verb))
    except BaseException as error:
        # Whatever it was, this copy of the worker must not go on as a second one.
        print(f"hostctl {' '.join(verb)}: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _text(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, encoding="utf-8", errors="replace") as file:
        return file.read()
