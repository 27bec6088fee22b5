"""The stack's updates: the configuration of each without its secrets, and the differences from the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pulumi import automation

from console.table import columns
from ops.engine.changes import summary
from ops.engine.run import PROJECT, as_user_error
from ops.engine.stack_file import parsed

NOT_SET = "not set"
PAGE = 100
SHOWN_DIFFERENCES = 4
"""As many as fit a row of the table; the document has all of them."""


@dataclass(frozen=True)
class Update:
    """One run of the engine. `settings` is the configuration it ran with, defaults included and secrets left out.

    `secrets` are the keys that were secret; `resources` counts by kind of step, without unchanged ones. `ended` is
    empty where the engine did not finish; `around` has the engine's notes on its operator and commit.
    """

    number: int
    at: str
    kind: str
    result: str
    settings: Mapping[str, Any]
    secrets: frozenset[str]
    resources: Mapping[str, int]
    ended: str = ""
    around: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def active(self) -> str:
        return str(self.settings.get("active", "sentinel"))

    @property
    def image(self) -> str | None:
        return image_of(self.settings)


def updates_of(opened: automation.Stack, stack: str) -> list[Update]:
    """Every update, newest first, read page by page: otherwise the engine gives only the last ten."""
    summaries: list[automation.UpdateSummary] = []
    with as_user_error(f"reading the history of stack {stack}"):
        while True:
            page = opened.history(page_size=PAGE, page=len(summaries) // PAGE + 1, show_secrets=False)
            summaries += page
            if len(page) < PAGE:
                return numbered(summaries)


def numbered(summaries: Sequence[automation.UpdateSummary]) -> list[Update]:
    """The updates with numbers: a file backend numbers each 0, so the oldest becomes 1, as with a service."""
    return [_update(summary, summary.version or len(summaries) - at) for at, summary in enumerate(summaries)]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Such as `active: sentinel -> contextforge`, one for each setting that differs; lists count as one value."""
    return list(_differences(before, after, ""))


def image_of(settings: Mapping[str, Any]) -> str | None:
    """Sentinel's image; a literal dotted key overrides the nested one, as in the settings."""
    nested = settings.get("sentinel")
    image = settings.get("sentinel.image") or (
        cast(Mapping[str, Any], nested).get("image") if isinstance(nested, Mapping) else None
    )
    return str(image) if image else None


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows of the document for a person, under a heading; empty without rows."""
    cells = [
        (
            str(row["number"]),
            str(row["at"]),
            str(row["result"] if row["kind"] == "update" else f"{row['kind']} {row['result']}"),
            str(row["active"]),
            str(row["image"] or "-"),
            _changed(row["changes"]),
        )
        for row in rows
    ]
    return columns([("number", "at", "result", "active", "image", "what changed"), *cells]) if cells else []


def rows_of(updates: Sequence[Update]) -> list[dict[str, Any]]:
    """The document of `make history JSON=1`."""
    older = [*updates, None][1:]
    return [_row(update, before) for update, before in zip(updates, older, strict=True)]


def _row(update: Update, before: Update | None) -> dict[str, Any]:
    return {
        "number": update.number,
        "at": update.at,
        "kind": update.kind,
        "result": update.result,
        "active": update.active,
        "image": update.image,
        "changes": {
            "settings": differences(before.settings, update.settings) if before else [],
            "resources": dict(update.resources),
        },
    }


def _changed(changes: Mapping[str, Any]) -> str:
    settings: list[str] = changes["settings"]
    more = [f"and {len(settings) - SHOWN_DIFFERENCES} more settings"] if len(settings) > SHOWN_DIFFERENCES else []
    return "; ".join([*settings[:SHOWN_DIFFERENCES], *more, summary(changes["resources"])])


def _update(summary: automation.UpdateSummary, number: int) -> Update:
    config = {name.removeprefix(f"{PROJECT}:"): value for name, value in summary.config.items()}
    return Update(
        number=number,
        at=f"{summary.start_time.isoformat(timespec='seconds')}Z",
        kind=summary.kind,
        result=str(summary.result),
        settings={name: parsed(value.value) for name, value in config.items() if not value.secret},
        secrets=frozenset(name for name, value in config.items() if value.secret),
        resources={str(kind): count for kind, count in (summary.resource_changes or {}).items() if kind != "same"},
        ended=f"{summary.end_time.isoformat(timespec='seconds')}Z" if summary.end_time else "",
        around=dict(summary.environment or {}),
    )


def _differences(before: Any, after: Any, key: str) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        earlier, later = cast(Mapping[str, Any], before), cast(Mapping[str, Any], after)
        for name in dict.fromkeys([*earlier, *later]):
            yield from _differences(earlier.get(name), later.get(name), f"{key}.{name}" if key else str(name))
        return
    if isinstance(before, list | tuple | Mapping) or isinstance(after, list | tuple | Mapping):
        yield f"{key} {'set' if before is None else 'no longer set' if after is None else 'changed'}"
        return
    yield f"{key}: {_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    return NOT_SET if value is None else str(value).lower() if isinstance(value, bool) else str(value)
