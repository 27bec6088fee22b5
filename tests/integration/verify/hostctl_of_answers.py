"""A stand-in for `hostctl` on a host: answers each verb from the JSON file beside it, `{"VERB WORD": document}`.

A text instead of a document is a refusal. What it was asked is appended to `asked.jsonl`.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    words = " ".join(sys.argv[1:])
    with (HERE / "asked.jsonl").open("a") as log:
        log.write(json.dumps([words, json.load(sys.stdin)]) + "\n")
    answer = json.loads((HERE / "answers.json").read_text())[words]
    if isinstance(answer, str):
        print(f"hostctl {words}: {answer}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


sys.exit(main())
