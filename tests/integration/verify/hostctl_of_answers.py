"""A stand-in for `hostctl` on a host: answers each verb from the JSON file beside it, `{"VERB WORD": document}`.

A text instead of a document is a refusal. Each call is appended to `calls.jsonl`.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    verb = " ".join(sys.argv[1:])
    with (HERE / "calls.jsonl").open("a") as log:
        log.write(json.dumps([verb, json.load(sys.stdin)]) + "\n")
    answer = json.loads((HERE / "answers.json").read_text())[verb]
    if isinstance(answer, str):
        print(f"hostctl {verb}: {answer}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


sys.exit(main())
