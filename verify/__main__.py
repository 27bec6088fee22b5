"""The MCP client's side as a program, on the machine where Pulumi runs:

    python -m verify baseline|gates|verification|check   one JSON document on stdin, one on stdout, progress on stderr

`check` is `verification` for a program that reads the answer: it prints the document also when a check failed.
Exit code 0 only when every check passed; else `report.EXIT_CODES` and `report.PART_CODES`, and 20 for a failed gate.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Mapping

from .baseline import NoBaseline, baseline
from .documents import BaselineRequest, GatesRequest, Unusable, VerificationRequest, read_document
from .gates_run import run_gates
from .report import exit_code_of, not_ok, text
from .verification import verification

GATE_FAILED = 20


def main(arguments: list[str]) -> int:
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    try:
        if len(arguments) != 1 or arguments[0] not in COMMANDS:
            raise Unusable(f"verify takes one of these commands: {', '.join(COMMANDS)}.")
        return COMMANDS[arguments[0]](sys.stdin.buffer.read())
    except (Unusable, NoBaseline) as error:
        print(error, file=sys.stderr)
        return 1


def _baseline(content: bytes) -> int:
    recorded = asyncio.run(baseline(read_document(BaselineRequest, content)))
    print("null" if recorded is None else recorded.model_dump_json())
    return 0


def _gates(content: bytes) -> int:
    answer = asyncio.run(run_gates(read_document(GatesRequest, content)))
    if not answer["ok"]:
        return GATE_FAILED
    print(json.dumps(answer))
    return 0


def _verification(content: bytes) -> int:
    """For the engine, which shows the output of a failing command: the table, and the document only when all passed."""
    request = read_document(VerificationRequest, content)
    answer = asyncio.run(verification(request))
    print(text(answer), file=sys.stderr)
    if answer["ok"]:
        print(json.dumps(answer))
    else:
        rollback = f"; to roll back: {request.rollback}" if request.rollback else ""
        print(f"error: {not_ok(answer)}; Sentinel still serves{rollback}", file=sys.stderr)
    return exit_code_of(answer)


def _check(content: bytes) -> int:
    answer = asyncio.run(verification(read_document(VerificationRequest, content)))
    print(json.dumps(answer))
    return exit_code_of(answer)


COMMANDS: Mapping[str, Callable[[bytes], int]] = {
    "baseline": _baseline,
    "gates": _gates,
    "verification": _verification,
    "check": _check,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
