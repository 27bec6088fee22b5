"""`python -m lab.doubles.plugins install HOME --docker-host unix:///… [--ssh-host ADDRESS]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from lab.doubles.plugins.install import LabFacts, install


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m lab.doubles.plugins", description="The lab's doubles of provider plugins."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("install", help="lay the doubles out in HOME, never over a real plugin")
    verb.add_argument("home", type=Path)
    verb.add_argument("--docker-host", action="append", required=True, help="allowed Docker address; may be repeated")
    verb.add_argument("--ssh-host", action="append", default=[], help="allowed ssh address; may be repeated")
    options = parser.parse_args()
    facts = LabFacts(docker_hosts=tuple(options.docker_host), ssh_hosts=tuple(options.ssh_host))
    for name, state in install(options.home.resolve(), facts).items():
        print(f"{name}: {state.value}")


if __name__ == "__main__":
    main()
