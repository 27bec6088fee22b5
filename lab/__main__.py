"""`python -m lab up|down|status|reboot|orphans`: the box alone, without images, ContextForge or the engine.

Owns: these five commands, their output and exit status.
Deliberately does not: prepare the stack (`make up` does, through lab/sandbox.py).
"""

from __future__ import annotations

import argparse
import json
import sys

from console.errors import UserError
from console.paths import LOGS
from console.progress import Progress
from lab import box
from lab.doubles.discord import running as discord

_ACTIONS = {
    "up": "start the VPS; nothing happens when it runs",
    "down": "end the VPS and remove everything of it",
    "status": "say whether it runs; exit status 1 when it does not",
    "reboot": "cut its power and start it again",
    "orphans": "list everything of it that still exists; exit status 1 when there is something",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="action", required=True)
    for name, text in _ACTIONS.items():
        commands.add_parser(name, help=text)
    place, progress = box.Place(), Progress(LOGS)
    match parser.parse_args().action:
        case "up":
            print(box.up(place, progress).model_dump_json(indent=2))
        case "reboot":
            started = box.reboot(place, progress)
            discord.ensure(place)
            print(started.model_dump_json(indent=2))
        case "down":
            box.down(place, progress)
        case "orphans":
            found = box.orphans(place)
            print("\n".join(found) or "nothing")
            return 1 if found else 0
        case _:
            state = box.status(place)
            print(json.dumps({"stands": state.stands, "problems": state.problems}))
            return 0 if state.stands else 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
