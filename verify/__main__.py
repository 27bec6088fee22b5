"""Asks every backend one question through the gateway:

    python -m verify --url http://127.0.0.1:9200/mcp --token-file FILE --expect FILE.json [--json]

Exit code 0 only when all answers are ok; else `report.EXIT_CODES`. With --json one document on stdout, the reasons of
what is not ok on stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from pathlib import Path

from .client import verify
from .plan import Unusable, load_plan, read_token
from .report import document, exit_code, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="verify", description="One call per backend through the MCP gateway.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", type=Path, required=True)
    parser.add_argument("--expect", type=Path, required=True, help="which calls, and what must be in the answers")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    arguments = parser.parse_args()
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    try:
        plan, token = load_plan(arguments.expect), read_token(arguments.token_file)
    except Unusable as error:
        print(error, file=sys.stderr)
        return 1
    outcomes = asyncio.run(verify(arguments.url, token, plan))
    if arguments.json:
        print(json.dumps(document(plan.active, outcomes)))
        for outcome in outcomes:
            if outcome.result != "ok":
                print(f"{outcome.name}: {outcome.result}: {outcome.detail}", file=sys.stderr)
    else:
        print(table(outcomes))
    return exit_code(outcomes)


if __name__ == "__main__":
    sys.exit(main())
