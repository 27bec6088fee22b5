"""`python3 hostctl.pyz VERB ACTION`: JSON in on stdin, JSON out on stdout, an error in one sentence on stderr.

Owns: the table of verbs, exit codes (0 done, 1 not done, 2 no such verb).
Deliberately does not: read data from arguments.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

from hostctl import claude, discord, files, handover, networks, predecessor, prometheus, token, trial, warm
from hostctl.documents import Document
from hostctl.errors import Refusal

VERBS: dict[tuple[str, str], Callable[[Document], dict[str, Any]]] = {
    ("files", "write"): files.write,
    ("files", "remove"): files.remove,
    ("networks", "join"): networks.join,
    ("networks", "leave"): networks.leave,
    ("claude", "record"): claude.record,
    ("claude", "keep"): claude.keep,
    ("claude", "apply"): claude.apply,
    ("claude", "restore"): claude.restore,
    ("claude", "forget"): claude.forget,
    ("discord", "look"): discord.look,
    ("predecessor", "record"): predecessor.record,
    ("prometheus", "wait"): prometheus.wait,
    ("trial", "run"): trial.run,
    ("warm", "start"): warm.start,
    ("warm", "stop"): warm.stop,
    ("token", "write"): token.write,
    ("token", "remove"): token.remove,
    ("handover", "take"): handover.take,
    ("handover", "give"): handover.give,
    ("handover", "status"): handover.status,
    ("handover", "rest"): handover.rest,
}
WITHOUT_DOCUMENT: dict[tuple[str, ...], Callable[[], dict[str, Any]]] = {
    ("handover", "points"): handover.points,
}


def main(arguments: list[str]) -> int:
    """Run one verb; the exit code."""
    if arguments == ["--version"]:
        print(_version())
        return 0
    words = tuple(arguments)
    if words in WITHOUT_DOCUMENT:
        print(json.dumps(WITHOUT_DOCUMENT[words]()))
        return 0
    if len(words) != 2 or words not in VERBS:
        known = ", ".join(" ".join(pair) for pair in [*VERBS, *WITHOUT_DOCUMENT])
        print(f"hostctl: no such verb: give one of {known}, or --version", file=sys.stderr)
        return 2
    try:
        answer = VERBS[words](Document.parse(sys.stdin.buffer.read().decode("utf-8", "replace")))
    except Refusal as refusal:
        print(f"hostctl {' '.join(words)}: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        print(f"hostctl {' '.join(words)}: {error.strerror or error}{where}", file=sys.stderr)
        return 1
    except Exception as error:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        place = "" if last is None else f" in {last.tb_frame.f_code.co_name}, line {last.tb_lineno}"
        print(f"hostctl {' '.join(words)}: internal error ({type(error).__name__}{place}): report it", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


def _version() -> str:
    try:
        return importlib.import_module("hostctl.build_id").CONTENT_HASH
    except ImportError:
        return "source"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
