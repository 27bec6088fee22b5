"""The tables of docs/security-proof.md, made from the findings that the tests of `tests/lab/security` write down.

Owns: running those tests with every rotation, and the tables' rows and captions.
Deliberately does not: take a figure that no test has judged; where one fails there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lab.benchmarks.story import figures_of

KEY = "security"
TAKEN_BY = "python -m lab.benchmarks security"
Figures = Mapping[str, Any]
Table = Callable[[Sequence[str], Sequence[Sequence[object]]], str]


def take() -> dict[str, Any]:
    """Runs the tests; raises UserError when one of them fails."""
    return figures_of("tests/lab/security", "SECURITY_FIGURES")


def ports(security: Figures, table: Table) -> str:
    """One row a moment and address: ports that answered, and silent ones; all others refused."""
    rows = [
        (moment, address, _ports(found["open"]), _ports(found["silent"]) if "silent" in found else "not distinguished")
        for moment, addresses in security["ports"].items()
        for address, found in addresses.items()
    ]
    rounds = security["rounds"]
    note = (
        f"During the handover every port was tried {rounds['every']} times on each address, from where the engine "
        f"begins with it until the run's end, and the gateway's own two {rounds['gateway']} times, from before the run."
    )
    return f"{table(('moment', 'address, from outside', 'open', 'silent (dropped)'), rows)}\n{note}\n"


def alone(security: Figures, table: Table) -> str:
    """Each of the two defences without the other."""
    rows = [
        (defence, address, _ports(found["open"]), _ports(found["silent"]))
        for defence, addresses in security["alone"].items()
        for address, found in addresses.items()
    ]
    return table(("defence", "address, from outside", "open", "silent (dropped)"), rows)


def searched(security: Figures, table: Table) -> str:
    """The places and how much of each."""
    rows = [(place, f"{count:,}") for place, count in sorted(security["searched"].items())]
    secrets = ", ".join(f"`{name}`" if name.islower() and " " not in name else name for name in security["secrets"])
    note = (
        f"Searched for, each as it is, percent-encoded, and in base64 at any offset: {secrets}, Claude's token and the "
        f"handover's. The processes were read {security['process_readings']} times during the run."
    )
    return f"{table(('place', 'bytes searched'), rows)}\n{note}\n"


def rotations(security: Figures, table: Table) -> str:
    """The downtime of each rotation."""
    rows = [
        (f"`{key}`", f"{one['reported_ms']:.0f} ms" if one["reported_ms"] else "the port is not touched",
         f"{one['seen_ms']:.0f} ms")
        for key, one in security["rotations"].items()
    ]  # fmt: skip
    return table(("`make rotate SECRET=`", "downtime, as the program reports it", "longest time a client waits"), rows)


def _ports(found: Sequence[int]) -> str:
    return ", ".join(str(port) for port in found) or "none"


TABLES: Mapping[str, Callable[[Figures, Table], str]] = {
    "security_ports": ports,
    "security_alone": alone,
    "security_searched": searched,
    "security_rotations": rotations,
}
