"""The recording of the published gateway, and the comparison of what a gateway did with it.

A scenario returns a document of the recording's shape. Its leaves are plain values, which must be equal (texts after
their changing parts are cut out), or a `Fact`, which decides whether it agrees: a time within a tolerance, lines in any
order, and what cannot be replayed.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

FACTS = "recorded facts"
"""The name under which a test reports what it compared."""


@dataclass(frozen=True)
class Observed:
    """A scenario's document, and the seconds for which processes waited for the machine meanwhile."""

    document: Any
    starved: float


Ran = Callable[[str], Observed]
"""A scenario's observation, by the scenario's name."""
FOLDER = Path(__file__).parents[2] / "testdata" / "sentinel" / "recorded"

_CHANGING = (
    (re.compile(r"(at )?line (\d+|N),? column (\d+|N)"), "line N column N"),
    (re.compile(r"(127\.0\.0\.1|localhost):(\d+|<port>)"), r"\1:<port>"),
    (re.compile(r"\b(pid|delay_ms)=(\d+|<n>)"), r"\1=<n>"),
    # The recording cut long lines off, the closing bracket of a URL among them.
    (re.compile(r"(<port>)(/mcp\)|>)?$"), r"\1"),
    (re.compile(r"(config file: )(<folder>|<file>|/\S+)"), r"\1<file>"),
    # A machine without a name server says the second.
    (re.compile("Temporary failure in name resolution"), "Name or service not known"),
)


def normal(text: str) -> str:
    """A text without what differs between two runs: ports, process ids, positions in a file."""
    text = text.strip()
    for pattern, replacement in _CHANGING:
        text = pattern.sub(replacement, text)
    return text


def recorded(scenario: str) -> Any:
    return json.loads((FOLDER / f"{scenario}.json").read_text())["observed"]


def facts_in(document: Any) -> int:
    """The number of leaf values of a document."""
    if isinstance(document, dict):
        return sum(facts_in(value) for value in cast(dict[str, Any], document).values())
    if isinstance(document, list):
        return sum(facts_in(value) for value in cast(list[Any], document))
    return 1


class Fact(ABC):
    """A leaf of an observed document that decides for itself whether the recording agrees."""

    @abstractmethod
    def agrees(self, recorded: Any) -> bool: ...


class Timed(Fact):
    """A fact with durations, which other load on the machine makes longer."""

    @abstractmethod
    def later(self, seconds: float) -> Fact:
        """The same, with so much more patience."""


@dataclass(frozen=True)
class Seconds(Timed):
    """A duration: agrees with a recorded number, or with a recorded range such as 15-23."""

    measured: float
    late: float = 1.2
    """Seconds by which a busy machine may be slower than the recording."""
    early: float = 0.6
    """Half of the second to which the recording rounded, and some more."""

    def later(self, seconds: float) -> Seconds:
        return replace(self, late=self.late + seconds)

    def agrees(self, recorded: Any) -> bool:
        if isinstance(recorded, str):
            low, high = (float(bound) for bound in recorded.split("-"))
            return low - 0.5 <= self.measured <= high + self.late
        early = 0.15 if isinstance(recorded, float) else self.early
        return recorded - early <= self.measured <= recorded * 1.1 + self.late


@dataclass(frozen=True)
class Pauses(Timed):
    """Pauses in milliseconds; the recording holds one range for each: 100-150, 200-300."""

    measured: Sequence[float]
    late: float = 150

    def later(self, seconds: float) -> Pauses:
        return replace(self, late=self.late + 1000 * seconds)

    def agrees(self, recorded: Any) -> bool:
        ranges = recorded.split(", ") if isinstance(recorded, str) else list(recorded)
        bounds = [tuple(map(float, bound.split("-"))) for bound in ranges]
        return len(bounds) == len(self.measured) and all(
            low - 2 <= pause <= high + self.late for pause, (low, high) in zip(self.measured, bounds, strict=True)
        )


@dataclass(frozen=True)
class Unordered(Fact):
    """Values of which two tasks of the gateway write in an order that is not fixed."""

    values: list[Any]

    def agrees(self, recorded: Any) -> bool:
        return _sorted(self.values) == _sorted(recorded)


@dataclass(frozen=True)
class Lines(Fact):
    """The different lines of a log, without those that come only where two tasks meet in one of two orders."""

    values: list[str]
    by_chance: Sequence[str] = ()

    def agrees(self, recorded: Any) -> bool:
        return self._certain(self.values) == self._certain(recorded)

    def _certain(self, lines: list[str]) -> set[str]:
        # The recording cut long lines off.
        return {normal(line)[:150] for line in lines if not any(text in line for text in self.by_chance)}


@dataclass(frozen=True)
class Dying(Timed):
    """Calls to a child that dies among them: [answer, seconds] each; which one meets its death is chance.

    The call under way fails at once; the one or two after it time out; all later ones fail at once.
    """

    calls: list[Any]
    timeout_seconds: float
    late: float = Seconds.late

    def later(self, seconds: float) -> Dying:
        return replace(self, late=self.late + seconds)

    def agrees(self, recorded: Any) -> bool:
        recorded = recorded if isinstance(recorded[0], list) else [recorded]
        texts = [_failure(call) for call in self.calls]
        if not self._well_timed(texts) or texts[-1] is None:
            return False
        first_failure = next(number for number, text in enumerate(texts) if text)
        expected = {_failure(call) for call in recorded} | {"Backend error: stdin channel to child process is closed"}
        expected |= {"Backend error: child process exited: response channel dropped"}
        return set(texts[first_failure:]) <= expected and (texts[0] is None) == (_failure(recorded[0]) is None)

    def _well_timed(self, texts: list[str | None]) -> bool:
        expected = [self.timeout_seconds if text and "timed out" in text else 0.0 for text in texts]
        return all(
            Seconds(call[1], self.late).agrees(seconds) for call, seconds in zip(self.calls, expected, strict=True)
        )


def _failure(call: Any) -> str | None:
    return call[0].get("error", {}).get("message")


@dataclass(frozen=True)
class Bucket(Timed):
    """A line of a histogram: the calls that took no longer than its bound, fewer where the machine made calls late."""

    line: str
    late: float = 0.0

    def later(self, seconds: float) -> Bucket:
        return replace(self, late=self.late + seconds)

    def agrees(self, recorded: Any) -> bool:
        series, _, count = self.line.rpartition(" ")
        recorded_series, _, recorded_count = recorded.rpartition(" ")
        missing = int(recorded_count) - int(count)
        return series == recorded_series and (missing == 0 or (missing > 0 and self._bound < self.late))

    @property
    def _bound(self) -> float:
        """Seconds."""
        return float(self.line.partition('le="')[2].partition('"')[0])


@dataclass(frozen=True)
class OneOf(Fact):
    """A value that the published gateway itself does not give each time; every possible one is named."""

    value: Any
    possible: Sequence[Any]

    def agrees(self, recorded: Any) -> bool:
        return self.value in self.possible and recorded in self.possible


@dataclass(frozen=True)
class WithPings(Fact):
    """Requests in order; the recording was taken before every backend had been checked."""

    lines: list[str]

    def agrees(self, recorded: Any) -> bool:
        pings = [line for line in self.lines if line.endswith(" ping")]
        rest = [line for line in self.lines if line not in pings]
        recorded_pings = [line for line in recorded if line.endswith(" ping")]
        return self.lines == rest + pings and bool(pings) and rest + (recorded_pings and pings) == recorded


@dataclass(frozen=True)
class Within(Fact):
    """A number that must lie within a factor or distance of the recorded one."""

    value: float
    distance: float

    def agrees(self, recorded: Any) -> bool:
        return abs(self.value - recorded) <= self.distance


@dataclass(frozen=True)
class Count(Fact):
    """A number that must lie in a recorded range such as 60-100."""

    value: int

    def agrees(self, recorded: Any) -> bool:
        low, high = map(int, recorded.split("-"))
        return low <= self.value <= high


@dataclass(frozen=True)
class NotReplayed(Fact):
    """A recorded fact that is not compared, and the reason."""

    reason: str

    def agrees(self, recorded: Any) -> bool:
        return True


@dataclass
class Comparison:
    """The facts of one scenario: how many were compared, which differ, which could not be replayed."""

    compared: int = 0
    differences: list[str] = field(default_factory=list[str])
    not_replayed: list[str] = field(default_factory=list[str])
    starved: float = 0.0
    """Seconds for which processes waited for the machine while the scenario ran."""

    def of(self, recorded: Any, observed: Any, path: str = "") -> Comparison:
        if isinstance(observed, NotReplayed):
            self.not_replayed.append(f"{path}: {observed.reason}")
        elif isinstance(observed, Fact):
            self.compared += facts_in(recorded)
            patient = observed.later(self.starved) if isinstance(observed, Timed) else observed
            if not patient.agrees(recorded):
                self._differs(path, recorded, observed)
        elif isinstance(recorded, dict) and isinstance(observed, dict):
            self._members(cast(dict[str, Any], recorded), cast(dict[str, Any], observed), path)
        elif isinstance(recorded, list) and isinstance(observed, (list, tuple)):
            self._elements(cast(list[Any], recorded), list(cast(Sequence[Any], observed)), path)
        else:
            self.compared += facts_in(recorded)
            if not _equal(recorded, observed):
                self._differs(path, recorded, observed)
        return self

    def _members(self, recorded: dict[str, Any], observed: dict[str, Any], path: str) -> None:
        for name, value in recorded.items():
            if name in observed:
                self.of(value, observed[name], f"{path} / {name}")
            else:
                self.compared += facts_in(value)
                self._differs(f"{path} / {name}", value, "nothing")
        for name in observed.keys() - recorded.keys():
            self._differs(f"{path} / {name}", "nothing", observed[name])

    def _elements(self, recorded: list[Any], observed: list[Any], path: str) -> None:
        if len(recorded) != len(observed):
            self.compared += facts_in(recorded)
            self._differs(path, recorded, observed)
            return
        for number, (one, other) in enumerate(zip(recorded, observed, strict=True)):
            self.of(one, other, f"{path}[{number}]")

    def _differs(self, path: str, recorded: Any, observed: Any) -> None:
        self.differences.append(f"{path}\n    recorded: {_short(recorded)}\n    observed: {_short(observed)}")


def _equal(recorded: Any, observed: Any) -> bool:
    if isinstance(recorded, str) and isinstance(observed, str):
        return normal(recorded) == normal(observed)
    return type(recorded) is type(observed) and recorded == observed


def _sorted(values: Any) -> list[str]:
    texts = [value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in values]
    return sorted(normal(text) for text in texts)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 2000 else f"{text[:2000]}…"
