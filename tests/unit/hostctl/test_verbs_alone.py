"""Each verb's module is imported alone, as a run of that verb does: an import cycle shows in one order only."""

from __future__ import annotations

import subprocess
import sys

from console.paths import ROOT
from hostctl.verbs import VERBS

PROGRAM = """
import importlib, sys, traceback
for name in sys.stdin.read().split():
    for known in [known for known in sys.modules if known.partition(".")[0] == "hostctl"]:
        del sys.modules[known]
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(f"{name}: {error}")
"""


def test_the_module_of_every_verb_can_be_the_first_that_is_imported() -> None:
    modules = sorted({f"hostctl.{name.rpartition('.')[0]}" for name in VERBS.values()})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input="\n".join(modules), capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == ""
