"""`python3 hostctl.pyz VERB ACTION`: a request on stdin and its result on stdout, both JSON.

An error is one sentence on stderr. Exit codes: 0 done, 1 not done, 2 no such verb. Deliberately does not: read data
from arguments.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

from hostctl.core import requests, unfinished
from hostctl.core.errors import Refusal, sentence_of
from hostctl.verbs import DEPENDENT_DELETES, VERBS, WITHOUT_DOCUMENT, function, request_of


def main(arguments: list[str]) -> int:
    """Run one verb; the exit code."""
    if arguments == ["--version"]:
        print(_version())
        return 0
    name = tuple(arguments)
    if name not in WITHOUT_DOCUMENT and (len(name) != 2 or name not in VERBS):
        known = ", ".join(" ".join(pair) for pair in [*VERBS, *WITHOUT_DOCUMENT])
        print(f"hostctl: no such verb: give one of {known}, or --version", file=sys.stderr)
        return 2
    try:
        result = function(WITHOUT_DOCUMENT[name])() if name in WITHOUT_DOCUMENT else _with_document(name)
    except Exception as error:
        sentence = sentence_of(error)
        if isinstance(error, (Refusal, OSError)):
            sentence = _with_link(sentence, name)
        print(f"hostctl {' '.join(name)}: {sentence}", file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


def _with_document(name: tuple[str, ...]) -> dict[str, Any]:
    """The answer of a verb to the request on stdin."""
    verb = function(VERBS[name[0], name[1]])
    request = request_of(verb, sys.stdin.buffer.read().decode("utf-8", "replace"))
    return _deleted(verb, name, request) if name in DEPENDENT_DELETES else verb(request)


def _deleted(verb: Callable[..., dict[str, Any]], name: tuple[str, ...], request: Any) -> dict[str, Any]:
    """The delete of a dependent; whatever stops it is recorded."""
    document = requests.write(request)
    try:
        result = verb(request)
    except Exception as error:
        return unfinished.report(name, sentence_of(error), document)
    unfinished.forget(name, document)
    return result


def _with_link(sentence: str, name: tuple[str, ...]) -> str:
    """The sentence with a link to the runbook's heading for this verb; a log's lines may follow it."""
    first, *rest = sentence.split("\n")
    return "\n".join([f"{first} (docs/runbook.md#hostctl-{'-'.join(name)})", *rest])


def _version() -> str:
    try:
        return importlib.import_module("hostctl.build_id").CONTENT_HASH
    except ImportError:
        return "source"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
