"""A stack's configuration as values, and a candidate of its file with the configuration of an earlier update.

Owns: reading (`pulumi config --json`, which leaves secrets out), and writing a candidate beside `Pulumi.STACK.yaml`.
The engine edits the candidate, so that comments and every unchanged value are kept.
Deliberately does not: read or write a secret, nor replace `Pulumi.STACK.yaml` before a yes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from console.errors import UserError
from console.paths import WORK
from hostctl.core import atomic_file
from ops.engine import environment, run
from ops.engine.run import PROJECT
from ops.engine.stack_secrets import runner

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Configuration:
    """`values` by key without the project's name, defaults included; `secrets` are keys whose value is not here."""

    values: Values
    secrets: frozenset[str]


def file_of(stack: str) -> Path:
    return run.ROOT / f"Pulumi.{stack}.yaml"


def read(stack: str, file: Path | None = None) -> Configuration:
    """The engine's configuration, from the stack's own file or from another; raises UserError."""
    text = _pulumi(stack, ["config", "--json"], file)
    entries: dict[str, dict[str, Any]] = json.loads(text)
    own = {key.removeprefix(f"{PROJECT}:"): entry for key, entry in entries.items()}
    shown = {key: entry for key, entry in own.items() if not entry["secret"]}
    return Configuration(
        {key: entry.get("objectValue", parsed(entry.get("value"))) for key, entry in shown.items()},
        frozenset(key for key, entry in own.items() if entry["secret"]),
    )


def parsed(value: Any) -> Any:
    """The value of an object or a list that is written as text; anything else unchanged.

    A history has every object as text, and a file those of literal dotted keys.
    """
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def candidate(stack: str, chosen: Values) -> Path:
    """A copy of the stack's file that gives exactly `chosen`; secrets stay as they are. Raises UserError."""
    today = read(stack)
    own = own_values(stack)
    path = _copy(stack)
    changed = [key for key in chosen if chosen[key] != today.values.get(key)]
    gone = [key for key in today.values if key not in chosen and key not in today.secrets]
    if gone:
        _pulumi(stack, ["config", "rm-all", *(f"{PROJECT}:{key}" for key in gone)], path)
    if changed:
        entries = {
            f"{PROJECT}:{key}": _entry(key, restored(own.get(key), today.values.get(key), chosen[key]))
            for key in changed
        }
        _pulumi(stack, ["config", "set-all", "--json", json.dumps(entries)], path)
    different = _different(read(stack, path).values, chosen)
    if different:
        path.unlink()
        raise UserError(
            f"The configuration of that update cannot be restored exactly: {', '.join(different)} would differ, since "
            f"the default has changed since. Set it in Pulumi.{stack}.yaml as you want it, then run again."
        )
    return path


def with_scalars(stack: str, values: Mapping[str, str]) -> Path:
    """A copy of the stack's file in which these keys, such as `predecessor.kind`, have these values."""
    path = _copy(stack)
    for key, value in values.items():
        _pulumi(stack, ["config", "set", f"{PROJECT}:{key}", value], path)
    return path


def own_values(stack: str) -> dict[str, Any]:
    """The values in the stack's file by key without the project's name, without defaults."""
    file = cast("dict[str, Any]", yaml.safe_load(file_of(stack).read_text(encoding="utf-8")) or {})
    config = cast("dict[str, Any]", file.get("config") or {})
    return {key.removeprefix(f"{PROJECT}:"): parsed(value) for key, value in config.items()}


def restored(own: Any, today: Any, chosen: Any) -> Any:
    """The file's value by which a key becomes `chosen`: its own text, changed only where today's value differs.

    `own` is the file's present value, which may leave out defaults that `today` and `chosen` have.
    """
    if not (isinstance(today, Mapping) and isinstance(chosen, Mapping)):
        return chosen
    before, after = cast(Values, today), cast(Values, chosen)
    result: dict[str, Any] = dict(cast(Values, own)) if isinstance(own, Mapping) else {}
    for key in dict.fromkeys([*before, *after]):
        if key not in after:
            result.pop(key, None)
        elif before.get(key) != after[key] or (key not in before and key not in result):
            result[key] = restored(result.get(key), before.get(key), after[key])
    return result


def _different(values: Values, chosen: Values) -> list[str]:
    return [key for key in dict.fromkeys([*values, *chosen]) if values.get(key) != chosen.get(key)]


def _entry(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping | list):
        text = {"value": json.dumps(value), "secret": False}
        # As an object the engine would lay a literal dotted key into the nested one of its first part.
        return text if "." in key else {**text, "objectValue": value}
    return {"value": str(value), "secret": False}


def _copy(stack: str) -> Path:
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / f"candidate-{stack}.yaml"
    path.write_bytes(file_of(stack).read_bytes())
    path.chmod(0o600)
    return path


def adopt(stack: str, path: Path) -> None:
    """The candidate becomes the stack's file, by one rename; its mode and owner stay."""
    atomic_file.write(str(file_of(stack)), path.read_bytes())
    path.unlink()


def _pulumi(stack: str, arguments: Sequence[str], file: Path | None) -> str:
    where = ["--config-file", str(file)] if file else []
    return runner(stack, environment.complete(stack), run.ROOT)(["pulumi", *arguments, "--stack", stack, *where], None)
