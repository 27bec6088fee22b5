"""The MCP client's side as a program, on the machine where Pulumi runs:

    python -m verify baseline|gates|verification|look   one JSON document on stdin, one on stdout, progress on stderr

`look` is `verification` for a program that reads the answer, which it gives also where all is not well.
Exit code 0 only when all is well; else `report.EXIT_CODES` and `report.PART_CODES`, and 20 for a gate that failed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Mapping

from .baseline import NoBaseline, baseline
from .documents import AskedBaseline, AskedGates, AskedVerification
from .gates import gates
from .plan import Unusable, read_document
from .report import exit_code_of, not_ok, text
from .verification import verification

GATE_FAILED = 20


def main(arguments: list[str]) -> int:
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    try:
        if len(arguments) != 1 or arguments[0] not in WORDS:
            raise Unusable(f"verify takes one of these words: {', '.join(WORDS)}.")
        return WORDS[arguments[0]](sys.stdin.buffer.read())
    except (Unusable, NoBaseline) as error:
        print(error, file=sys.stderr)
        return 1


def _baseline(content: bytes) -> int:
    found = asyncio.run(baseline(read_document(AskedBaseline, content)))
    print("null" if found is None else found.model_dump_json())
    return 0


def _gates(content: bytes) -> int:
    answer = asyncio.run(gates(read_document(AskedGates, content)))
    if not answer["ok"]:
        return GATE_FAILED
    print(json.dumps(answer))
    return 0


def _verification(content: bytes) -> int:
    """For the engine, which shows what a failing command prints: the table, and the document only where all is well."""
    asked = read_document(AskedVerification, content)
    answer = asyncio.run(verification(asked))
    print(text(answer), file=sys.stderr)
    if answer["ok"]:
        print(json.dumps(answer))
    else:
        back = f"; to go back: {asked.rollback}" if asked.rollback else ""
        print(f"error: {not_ok(answer)}; Sentinel still serves{back}", file=sys.stderr)
    return exit_code_of(answer)


def _look(content: bytes) -> int:
    answer = asyncio.run(verification(read_document(AskedVerification, content)))
    print(json.dumps(answer))
    return exit_code_of(answer)


WORDS: Mapping[str, Callable[[bytes], int]] = {
    "baseline": _baseline,
    "gates": _gates,
    "verification": _verification,
    "look": _look,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
