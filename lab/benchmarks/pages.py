"""The pages that show figures, and the tables between their marks.

Owns: the figures' file, and each table's rows and captions.
Deliberately does not: take a figure, or hold one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from console.paths import ROOT
from lab.benchmarks import fleet, link, monitoring, outputs, processes, security, servers, suite

FIGURES = ROOT / "docs" / "measured.json"
PAGES = tuple(
    ROOT / page
    for page in (
        "README.md",
        "docs/alerts.md",
        "docs/fleet.md",
        "docs/performance.md",
        "docs/security-proof.md",
        "tests/README.md",
    )
)

Figures = Mapping[str, Any]
Rows = Sequence[Sequence[object]]

_BLOCK = re.compile(r"(<!-- measured:(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_WAYS = {
    "standby_cutover": "cutover, `keep: standby`",
    "standby_rollback": "rollback, from standby",
    "stopped_cutover": "cutover, `keep: stopped`",
    "stopped_rollback": "rollback, from stopped",
    "upgrade": "upgrade, to another Sentinel",
    "rotation": "rotation of a secret, to another Sentinel",
    "bare_cutover": "cutover, bare `docker stop` and `docker run`",
    "bare_rollback": "rollback, bare `docker stop` and `docker start`",
}
_PARTS = ("release_ms", "connect_ms", "answer_ms")


def write(figures: Figures) -> None:
    """The figures into their file, and into every page that shows some."""
    # In the order in which they were taken, which is that of the tables' rows.
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for page in PAGES:
        page.write_text(render(page.read_text(encoding="utf-8"), figures), encoding="utf-8")


def render(text: str, figures: Figures) -> str:
    """The page with every block between marks written again."""
    return _BLOCK.sub(lambda found: found[1] + _block(found[2], figures) + found[3], text)


def _block(name: str, figures: Figures) -> str:
    for module in (security, link, outputs, processes, servers, suite, fleet):
        if name in module.TABLES:
            if module.KEY not in figures:
                return f"Not taken yet: `{module.TAKEN_BY}` takes it.\n"
            return module.TABLES[name](figures[module.KEY], _table)
    if not _NEEDS[name] <= set(figures):
        return f"Not taken yet: `{_TAKEN_BY.get(name, 'make bench')}` takes it.\n"
    return _TABLES[name](figures)


def _table(head: Sequence[str], rows: Rows) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def _first_screen(figures: Figures) -> str:
    """README's table: the times that a new user waits, and the downtimes that their client sees."""
    cutover, rollback, bare = (
        figures["downtimes"][f"{way}_seen_ms"] for way in ("standby_cutover", "standby_rollback", "bare_cutover")
    )
    test = _duration(figures["tests"]["seconds"]) if "tests" in figures else f"not taken yet: `{suite.TAKEN_BY}`"
    rows = [
        ("`make up` in a fresh clone with empty caches", _duration(figures["cold_up_seconds"])),
        ("`make up` again, with nothing to change", _duration(figures["up_again_seconds"])),
        ("`make test`", test),
        (f"downtime of the cutover (median of {cutover['rounds']})", _milliseconds(cutover["median"])),
        (f"downtime of the rollback (median of {rollback['rounds']})", _milliseconds(rollback["median"])),
        ("downtime of the same cutover by bare `docker stop` and `docker run`", _milliseconds(bare["median"])),
    ]
    return _table(("what", "measured"), rows)


def _downtimes(figures: Figures) -> str:
    """The program's own figure beside what an independent client sees."""
    downtimes = figures["downtimes"]
    rows = [(caption, *_cells(downtimes.get(f"{way}_ms")), *_cells(downtimes[f"{way}_seen_ms"]),
             *_cells(downtimes.get(f"{way}_silent_ms")), downtimes[f"{way}_seen_ms"]["rounds"])
            for way, caption in _WAYS.items() if f"{way}_seen_ms" in downtimes]  # fmt: skip
    head = ("ms", "program, median", "max", "client, median", "max", "both silences, median", "max", "rounds")
    machine = figures["machine"]
    taken = f"Taken {figures['at']} on {machine['cores']} cores, Docker {machine['docker']}, Linux {machine['linux']}."
    calls = downtimes.get("after_rollback_call_ms")
    good = f" In the 30 s after a rollback {calls['rounds']} calls of a tool, all good." if calls else ""
    return f"{_table(head, rows)}\n{taken}{good}\n"


def _parts(figures: Figures) -> str:
    """The medians of the parts of the program's own figure."""
    downtimes = figures["downtimes"]
    rows = [
        (caption, *(f"{downtimes[f'{way}_{part}']['median']:.0f}" for part in _PARTS))
        for way, caption in _WAYS.items()
        if f"{way}_ms" in downtimes
    ]
    return _table(("ms, median", "release", "connect", "answer"), rows)


def _overhead(figures: Figures) -> str:
    """A call through the bridge beside the same call on the gateway's own stdio."""
    overhead = figures["overhead"]
    rows = [
        (
            f"{clients} client{'' if clients == '1' else 's'}",
            *_percentiles(overhead["stdio"][clients]),
            *_percentiles(overhead["bridge"][clients]),
            f"{overhead['bridge'][clients]['p50'] - overhead['stdio'][clients]['p50']:+.1f}",
        )
        for clients in overhead["bridge"]
    ]
    head = ("ms a call", "stdio p50", "p99", "bridge p50", "p99", "bridge adds, p50")
    resident = overhead["resident_mb"]
    shown = ", ".join(f"{name} {size:.0f} MB" for name, size in resident.items())
    note = f"Resident memory after it: {shown}."
    return f"{_table(head, rows)}\n{note}\n"


def _alerts(figures: Figures) -> str:
    """From a fault to Discord, beside what the lab's settings allow."""
    rows = [
        (title, *(f"{one[key]:.0f}" for key in ("earliest_s", "fired_s", "fired_within_s")),
         *(f"{one[key]:.0f}" for key in ("resolved_s", "resolved_within_s")))
        for title, one in figures["alerts"].items()
    ]  # fmt: skip
    head = ("s", "not before", "message after", "at most", "over after", "at most")
    return _table(head, rows)


def _monitoring(figures: Figures) -> str:
    """Memory of the monitoring's containers."""
    rows = [
        (
            f"`{name}`{' (a double in the lab)' if name == 'sentinel-grafana' else ''}",
            f"{one['used']:.0f}",
            monitoring.CONTAINERS[name],
        )
        for name, one in figures["monitoring_mb"].items()
    ]
    return _table(("memory, MB", "as measured on the lab", "limit"), rows)


def _retention(figures: Figures) -> str:
    """Calls beside the removal of many rows, and beside nothing."""
    taken = figures["retention"]
    ways = (("alone", "nothing else"), ("meanwhile", f"{taken['rows']:,} rows removed in {taken['seconds']:.0f} s"))
    rows = [
        (caption, *(f"{taken[way][key]:.0f}" for key in ("p50", "p99", "longest")), taken[way]["calls"])
        for way, caption in ways
    ]
    return _table(("ms a call, meanwhile", "p50", "p99", "longest", "calls"), rows)


def _months(figures: Figures) -> str:
    """The audit log's size after the last nightly job of each month."""
    sizes = figures["retention"]["months_mb"]
    return _table(("month", *map(str, range(1, len(sizes) + 1))), [("MB", *(f"{size:.0f}" for size in sizes))])


def converged(matrix: Mapping[str, Mapping[str, int]]) -> str:
    """The sums over every way of cutting off, as printed at a session's end and under the table."""
    points, ended_well, served, only = (
        sum(cut[key] for cut in matrix.values()) for key in ("points", "converged", "served", "only_engine")
    )
    # Where more than the engine died, nobody has promised that the port is served meanwhile.
    always = f", {served}/{only} always served" if only else ""
    return f"{points} points, {ended_well} converged{always}"


def _kill_matrix(figures: Figures) -> str:
    """Every run that was cut off, and where it ended."""
    matrix = figures["kill_matrix"]
    rows = [
        (way, cut["points"], cut["converged"], f"{cut['served']}/{cut['only_engine']}" if cut["only_engine"] else "")
        for way, cut in sorted(matrix.items())
    ]
    return f"{_table(('interrupted', 'points', 'converged', 'always served'), rows)}\n{converged(matrix)}.\n"


def _round_trips(figures: Figures) -> str:
    """The program's own downtimes, trip by trip."""
    trips = figures["round_trips"]
    head = ("ms", *map(str, range(1, len(trips) + 1)))
    return _table(head, [(way, *(trip[way] for trip in trips)) for way in ("cutover", "rollback")])


def _state_machine(figures: Figures) -> str:
    """The number of times that the model took each step."""
    return _table(("rule", "times"), list(figures["state_machine"].items()))


def _drill(figures: Figures) -> str:
    """Every fault of the disaster drill, from the finding to the stack that serves, verified."""
    rows = [
        (fault, one["status"].replace("|", "\\|"), "<br>".join(f"`{line}`" for line in one["commands"]), one["seconds"])
        for fault, one in sorted(figures["drill"].items())
    ]
    return _table(("fault", "`make status`", "commands", "s until served, verified"), rows)


def _statistics(figures: Figures) -> str:
    """One reading of Docker's statistics, which the timer takes once a minute."""
    statistics = figures["statistics"]
    rows = [
        ("processor time of a reading (median)", f"{statistics['cpu_ms']:.0f} ms"),
        ("as a share of one core, at one a minute", f"{statistics['cpu_ms'] / 60000:.2%}"),
        ("from start to end (median)", f"{statistics['wall_ms']:.0f} ms"),
        ("memory while it lasts (largest)", f"{statistics['max_rss_mb']:.0f} MB"),
    ]
    return _table((f"{statistics['containers']} containers, {statistics['rounds']} readings", "measured"), rows)


def _cells(spread: Mapping[str, float] | None) -> Iterator[str]:
    yield from ("", "") if spread is None else (f"{spread['median']:.0f}", f"{spread['max']:.0f}")


def _percentiles(taken: Mapping[str, float]) -> Iterator[str]:
    yield from (f"{taken['p50']:.1f}", f"{taken['p99']:.1f}")


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def _duration(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes} min {left} s" if minutes else f"{left} s"


_NEEDS = {
    "first_screen": {"downtimes", "cold_up_seconds", "up_again_seconds"},
    "downtimes": {"downtimes", "machine", "at"},
    "parts": {"downtimes"},
    "overhead": {"overhead"},
    "alerts": {"alerts"},
    "monitoring": {"monitoring_mb"},
    "retention": {"retention"},
    "months": {"retention"},
    "statistics": {"statistics"},
    "kill_matrix": {"kill_matrix"},
    "round_trips": {"round_trips"},
    "state_machine": {"state_machine"},
    "drill": {"drill"},
}
_TAKEN_BY = {
    **dict.fromkeys(("retention", "months"), "python -m lab.benchmarks retention"),
    **dict.fromkeys(("kill_matrix", "round_trips", "state_machine", "drill"), "make soak"),
}
_TABLES = {
    "first_screen": _first_screen,
    "downtimes": _downtimes,
    "parts": _parts,
    "overhead": _overhead,
    "alerts": _alerts,
    "monitoring": _monitoring,
    "retention": _retention,
    "months": _months,
    "statistics": _statistics,
    "kill_matrix": _kill_matrix,
    "round_trips": _round_trips,
    "state_machine": _state_machine,
    "drill": _drill,
}
