"""The report's tables, few enough columns for a phone, and how times, digests and amounts are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ops.engine.changes import summary

Tone = Literal["", "good", "bad", "unknown", "code", "short"]
Facts = Mapping[str, Any]
MOST_UPDATES = 12


@dataclass(frozen=True)
class Cell:
    """A text, a smaller note under it, and the meaning of its colour."""

    text: str
    note: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class Table:
    """Heads and rows, all of the same width."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def backends(rows: Sequence[Facts], baseline: Facts | None) -> Table:
    """Each backend before, by the baseline, and after, by the verification."""
    before = {backend["name"]: backend for backend in (baseline or {}).get("backends", [])}
    table_rows = tuple(
        (
            Cell(row["name"], row["tool"]),
            _before(before.get(row["name"])),
            _result(row["result"], row.get("why_allowed", "")),
            Cell(amount(row["ms"]), tone="short"),
        )
        for row in rows
    )
    return Table("Backends before and after", ("backend", "before", "after", "its call took"), table_rows)


def gates(rows: Sequence[Facts]) -> Table:
    table_rows = tuple(
        (
            Cell(row["name"], row["detail"]),
            Cell(row["result"], tone="good" if row["result"] == "passed" else "bad"),
            Cell(amount(row["ms"]), tone="short"),
        )
        for row in rows
    )
    return Table("Gates", ("gate", "result", "took"), table_rows)


def containers(rows: Sequence[Facts]) -> Table:
    """The digest by which a registry knows the image, else the image's own id, which says so."""
    table_rows = tuple(
        (
            Cell(row["name"], row.get("image", "")),
            Cell(row["state"], tone="bad" if row["state"] == "absent" else ""),
            Cell(
                row.get("digest") or row.get("image_id", ""),
                "" if row.get("digest") or not row.get("image_id") else "image id",
                "code",
            ),
        )
        for row in rows
    )
    return Table("Versions and digests", ("container", "state", "digest or image id"), table_rows)


def sessions(rows: Sequence[Facts]) -> Table:
    table_rows = tuple(
        (
            Cell(f"process {row['pid']}", row["folder"]),
            Cell(moment(row["since"]), f"began on {row['began_on']}"),
            Cell("goes on" if row["goes_on"] else "restart it", row["reason"], "good" if row["goes_on"] else "bad"),
        )
        for row in rows
    )
    return Table("Open sessions", ("session", "open since", "after the handover"), table_rows)


def handovers(rows: Sequence[Facts]) -> Table:
    table_rows = tuple(
        (
            Cell(moment(row["at"]), row["verb"]),
            Cell(f"{row['from'] or 'nobody'} -> {row['to'] or 'nobody'}", row.get("keep", "")),
            Cell(amount(row["downtime_ms"]) if "downtime_ms" in row else "not noted", tone="short"),
            Cell(
                row["outcome"],
                "with FORCE=1" if row.get("force") else "",
                tone="good" if row["outcome"] == "done" else "unknown",
            ),
        )
        for row in rows
        if row["verb"] != "stop-predecessor"
    )
    return Table("Handovers in the host's journal", ("at", "from -> to", "downtime", "ended"), table_rows)


def updates(rows: Sequence[Facts]) -> Table:
    """The newest ones, with what each changed."""
    table_rows = tuple(
        (
            Cell(str(row["number"])),
            Cell(moment(row["at"]), row["kind"] if row["kind"] != "update" else ""),
            Cell(row["result"], row["active"], "good" if row["result"] == "succeeded" else "bad"),
            Cell(summary(row["changes"]["resources"]), "; ".join(row["changes"]["settings"])),
        )
        for row in rows[:MOST_UPDATES]
    )
    left = len(rows) - len(table_rows)
    return Table(
        f"Updates of the stack{f', the newest {len(table_rows)} of {len(rows)}' if left else ''}",
        ("update", "at", "result", "what changed"),
        table_rows,
    )


def moment(text: str) -> str:
    """`2026-11-27 01:02:03 UTC`, whatever spelling of ISO 8601 it came in."""
    if not text:
        return ""
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text


def duration(began: str, ended: str) -> str:
    if not (began and ended):
        return ""
    return amount((datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds() * 1000)


def amount(milliseconds: float) -> str:
    """`142 ms`, `1.7 s`, `3 min 20 s`."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def program(around: Mapping[str, str]) -> str:
    """The engine's note on the program: its commit with its author, and that it was changed since."""
    commit = around.get("git.head", "")
    if not commit:
        return ""
    dirty = ", with changes that are not committed" if around.get("git.dirty") == "true" else ""
    author = around.get("git.committer", "") or around.get("git.author", "")
    return f"commit {commit[:12]}{f' of {author}' if author else ''}{dirty}"


def _before(seen: Facts | None) -> Cell:
    """The result of the baseline; a backend that was broken then is no fault of the cutover."""
    word = str(seen["result"]) if seen else "not known"
    return Cell(word, tone="good" if word == "ok" else "unknown")


def _result(word: str, note: str = "") -> Cell:
    return Cell(word, note, "good" if word == "ok" else "unknown" if note else "bad")
