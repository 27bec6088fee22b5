"""The figures of README and docs/performance.md: taken here, written to `docs/measured.json`, never by hand.

    python -m lab.measure rounds   the port handed over and back, on the running lab
    python -m lab.measure cold     a fresh clone with empty caches up to the finished cutover (minutes)

Owns: taking figures, and rendering them between the marks in the pages that show them.
Deliberately does not: judge them; the tests have limits of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.box import Place, status
from lab.box.network import inside
from ops import environment
from ops.errors import UserError
from ops.paths import ROOT

FIGURES = ROOT / "docs" / "measured.json"
PAGES = (ROOT / "README.md", ROOT / "docs" / "performance.md")
ROUNDS = 10
CACHES = {"GOMODCACHE": "modules", "GOCACHE": "builds", "UV_CACHE_DIR": "uv", "npm_config_cache": "npm"}
"""What makes a machine warm, each moved to an empty folder for a cold run."""
_BLOCK = re.compile(r"(<!-- measured:(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Figures = dict[str, Any]


def rounds(count: int) -> Figures:
    """`count` cutovers and ways back by the engine: the program's own figures, and an independent client's."""
    box = status(Place()).box
    if box is None:
        raise UserError("The lab is not running; start it with make up.")
    state = Path(box.folder) / "handover" / "state.json"
    taken: dict[str, list[float]] = {"handover": [], "handover_seen": [], "way_back": [], "way_back_seen": []}
    for number in range(count):
        for active, name in (("contextforge", "way_back"), ("sentinel", "handover")):
            seen = _watched(box.vps, active)
            last = json.loads(state.read_text(encoding="utf-8"))
            taken[name].append(last["downtime_ms"])
            taken[f"{name}_seen"].append(seen)
            print(f"{number + 1} of {count}: {name} {last['downtime_ms']} ms, seen {seen:.0f} ms", file=sys.stderr)
    return {f"{name}_ms": _spread(values) for name, values in taken.items()}


def again() -> Figures:
    """A second `make up`, with nothing to do."""
    return {"up_again_seconds": _seconds(["make", "up"], ROOT, dict(os.environ))}


def cold() -> Figures:
    """From a fresh clone and empty caches to the finished cutover; Debian's own packages are installed already."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        bare = {**os.environ, **{name: f"{folder}/{cache}" for name, cache in CACHES.items()}}
        bare = {name: value for name, value in bare.items() if not name.startswith("PULUMI") and name != "PYTHONPATH"}
        try:
            return {"cold_up_seconds": _seconds(["make", "up"], clone, bare)}
        finally:
            subprocess.run(["make", "down"], cwd=clone, env=bare, check=False, stdout=sys.stderr)
            # Go's own cache is read-only on purpose.
            subprocess.run(["chmod", "-R", "u+w", folder], check=False)


def render(text: str, figures: Figures) -> str:
    """The page with every block between marks written anew."""
    return _BLOCK.sub(lambda found: found[1] + _TABLES[found[2]](figures) + found[3], text)


def _watched(namespace: str, active: str) -> float:
    """Turns the switch under an independent watch; the longest time without an answer, in milliseconds."""
    watch = subprocess.Popen(
        inside(namespace, [sys.executable, str(ROOT / "lab" / "watch.py"), "9200", "0.01"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdin is not None
    assert watch.stdout is not None
    watch.stdout.readline()
    variables = environment.complete("lab")
    for words in (["config", "set", "active", active], ["up", "--yes", "--skip-preview", "--non-interactive"]):
        subprocess.run(["pulumi", *words], cwd=ROOT, env=variables, check=True, stdout=subprocess.DEVNULL)
    watch.stdin.close()
    found = re.search(r"longest gap (\d+) ms", watch.stdout.read())
    watch.wait()
    if found is None:
        raise UserError("The watch on port 9200 ended without a figure.")
    return float(found[1])


def _seconds(words: Sequence[str], folder: Path, variables: dict[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(words, cwd=folder, env=variables, check=True, stdout=sys.stderr)
    return round(time.monotonic() - began, 1)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"min": min(values), "median": round(statistics.median(values)), "max": max(values), "rounds": len(values)}


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _first_screen(figures: Figures) -> str:
    """README's table: what a new user waits for, and what their client sees."""
    there, back = figures["handover_seen_ms"], figures["way_back_seen_ms"]
    rows = [
        (
            "`make up`, fresh clone and empty caches, to the finished cutover",
            _duration(figures["cold_up_seconds"]),
        ),
        ("`make up` again, with nothing to do", _duration(figures["up_again_seconds"])),
        (f"nobody answers on the port, there (median of {there['rounds']})", f"{there['median']} ms"),
        (f"nobody answers on the port, back (median of {back['rounds']})", f"{back['median']} ms"),
    ]
    return "".join(["| what | measured |\n| --- | --- |\n", *(f"| {what} | {value} |\n" for what, value in rows)])


def _downtimes(figures: Figures) -> str:
    """The table of docs/performance.md."""
    names = {
        "handover_ms": "there, the program's own figure",
        "handover_seen_ms": "there, as an independent client sees it",
        "way_back_ms": "back, the program's own figure",
        "way_back_seen_ms": "back, as an independent client sees it",
    }
    rows = [
        f"| {name} | {figures[key]['min']:.0f} | {figures[key]['median']:.0f} | {figures[key]['max']:.0f} "
        f"| {figures[key]['rounds']} |\n"
        for key, name in names.items()
    ]
    machine = figures["machine"]
    taken = (
        f"\nTaken {figures['at']} on {machine['cores']} cores, Docker {machine['docker']}, Linux {machine['linux']}.\n"
    )
    return "".join(["| ms | min | median | max | rounds |\n| --- | --- | --- | --- | --- |\n", *rows, taken])


_TABLES = {"first_screen": _first_screen, "downtimes": _downtimes}


def _machine() -> dict[str, object]:
    docker = subprocess.run(["dockerd", "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version ([0-9.]+)", docker)
    return {
        "cores": os.cpu_count(),
        "docker": version[1] if version else "?",
        "linux": platform.release().split("-")[0],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.measure", description="Takes the figures of the documentation."
    )
    parser.add_argument("what", choices=["rounds", "cold", "render"])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    figures: Figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    if arguments.what == "rounds":
        figures |= {**rounds(arguments.rounds), **again()}
    elif arguments.what == "cold":
        figures |= cold()
    if arguments.what != "render":
        figures |= {"at": datetime.now(UTC).date().isoformat(), "machine": _machine()}
        FIGURES.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for page in PAGES:
        page.write_text(render(page.read_text(encoding="utf-8"), figures), encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
