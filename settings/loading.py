"""From Pulumi's raw configuration to `Settings`, or to a `SettingsError` that lists every problem.

Both spellings of a key are read: nested, and literal dotted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NoReturn, cast

import pulumi
from pulumi.runtime import config as pulumi_config
from pydantic import SecretStr, ValidationError, create_model

from settings import cross_checks
from settings.backends import Backend
from settings.describe import allowed, field_at, fixing_value, is_secret_field, is_structure, nearest_key, spelled
from settings.errors import HIDDEN, NOT_SET, Problem, SettingsError, masked, texts
from settings.field_rules import AbsolutePath, BackendName, Image, ToolName
from settings.gateway_sections import Host, Sentinel
from settings.model import SECRET_KEYS, Settings

PROJECT = "sentinel-cutover"
MESSAGE_WAS_SHOWN = 32
"""Exit code by which Pulumi's Python host knows that the program has already said what is wrong (read in the host)."""


class _HostInPart(Host):
    home: AbsolutePath = ""


class _SentinelInPart(Sentinel):
    image: Image = ""


class _BackendInPart(Backend):
    name: BackendName = ""
    kind: Literal["http", "stdio"] = "stdio"
    tool: ToolName = ""


_SettingsInPart = create_model(
    "_SettingsInPart",
    __base__=Settings,
    host=(_HostInPart, _HostInPart()),
    sentinel=(_SentinelInPart, _SentinelInPart()),
    backends=(tuple[_BackendInPart, ...], ()),
    jwt_secret=(SecretStr, SecretStr("")),
    postgres_password=(SecretStr, SecretStr("")),
)
"""The settings with nothing required, to compare the good values even if others are bad, so that every problem is
reported at once."""


def load(raw: Mapping[str, Any], secret_keys: Collection[str] = (), *, stack: str | None = None) -> Settings:
    """Check the project's raw configuration; keys may carry the project's namespace.

    Raises SettingsError with every problem: of single values first, then of values that do not fit together (those
    that involve a bad value are left out), then secrets in plain text.
    """
    secret = {key.removeprefix(PROJECT + ":") for key in secret_keys}
    own = {key.removeprefix(PROJECT + ":"): value for key, value in raw.items()}
    own = {key: value for key, value in own.items() if ":" not in key}
    literal_keys = {key for key in own if "." in key}
    tree, problems = _tree(own)
    settings: Settings | None = None
    bad = [problem.key for problem in problems]
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        invalid = [_problem(tree, cast(Any, detail)) for detail in error.errors(include_url=False)]
        backends_seen = any(key.startswith("backends") for key in bad) or bool(tree.get("backends"))
        problems += [problem for problem in invalid if not (backends_seen and problem.related == ("backends",))]
        locations = [[part for part in detail["loc"] if part != "[key]"] for detail in error.errors()]
        bad += [problem.key for problem in invalid]
        bad += [spelled(location[:2]) for location in locations if location[:1] == ["backends"]]
        settings_to_compare = _in_part(tree, locations)
    else:
        settings_to_compare = settings
    if settings_to_compare is not None:
        problems += [problem for problem in cross_checks.problems(settings_to_compare) if not _rests_on(problem, bad)]
    problems += _plain_secrets(own, secret)
    if problems or settings is None:
        values = texts(value for key, value in own.items() if key in secret or key.split(".")[0] in SECRET_KEYS)
        shown = [_without(values, problem) for problem in dict.fromkeys(problems)]
        raise SettingsError(shown, literal_keys=literal_keys, stack=stack)
    return settings


def load_from_pulumi() -> Settings:
    """The settings of the running program's stack; raises SettingsError."""
    raw = pulumi_config.CONFIG.get() or pulumi_config.get_config_env()
    secret_keys = {key for key in raw if pulumi_config.is_config_secret(key)}
    secret_keys.update(pulumi_config.get_config_secret_keys_env())
    return load(raw, secret_keys, stack=pulumi.get_stack())


def load_or_stop() -> Settings:
    """For the program: the settings, or every problem shown as one message and the end of the run, no traceback."""
    try:
        return load_from_pulumi()
    except SettingsError as error:
        stop(error)


def stop(error: SettingsError) -> NoReturn:
    """Show the report and end the program so that the language host adds nothing of its own."""
    pulumi.log.error(str(error))
    sys.exit(MESSAGE_WAS_SHOWN)


def secret_output(secret: SecretStr) -> pulumi.Output[str]:
    """A secret of the settings for a resource's inputs: encrypted in state, hidden in output."""
    return pulumi.Output.secret(secret.get_secret_value())


def _tree(own: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Nested keys first, then the literal dotted ones over them: the engine puts schema defaults into the nested."""
    tree: dict[str, Any] = {}
    problems: list[Problem] = []
    for key in sorted(own, key=lambda key: key.count(".")):
        *parents, last = key.split(".")
        place: Any = tree
        for parent in parents:
            place = cast("dict[str, Any]", place).setdefault(parent, {})
            if not isinstance(place, dict):
                break
        if not isinstance(place, dict):
            continue
        place = cast("dict[str, Any]", place)
        try:
            place[last] = _parsed(key, own[key])
        except ValueError:
            problems.append(Problem(key, "text that is no JSON", "JSON: an object or a list", None))
    return tree, problems


def _parsed(key: str, value: Any) -> Any:
    if not isinstance(value, str) or not is_structure(key.split(".")) or value[:1] not in ("{", "["):
        return value
    try:
        return json.loads(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _problem(tree: Mapping[str, Any], detail: dict[str, Any]) -> Problem:
    location: Sequence[str | int] = detail["loc"]
    key, kind = spelled(location), detail["type"]
    field = field_at([part for part in location if part != "[key]"])
    if kind == "extra_forbidden":
        near = nearest_key(location)
        allowed_text = f"no key of this name; did you mean {near}?" if near else "no key of this name"
        return Problem(key, "a key that is not known", allowed_text, None)
    if field is None:
        owner = field_at([part for part in location[:-1] if isinstance(part, str)])
        allowed_text = detail["msg"] if owner is None else allowed(owner)
        return Problem(key, "a value that does not fit", allowed_text, f"<{location[-1] if location else 'value'}>")
    secret = is_secret_field(field)
    given = NOT_SET if kind in ("missing", "too_short") else HIDDEN if secret else _shown(_value_at(tree, location))
    allowed_text = detail["msg"] if kind == "refused" else allowed(field)
    if key == "backends" and kind in ("missing", "too_short"):
        return Problem("backends[0].name", NOT_SET, "at least one backend", "<name>", related=("backends",))
    if kind == "missing":
        allowed_text = (
            f"{allowed_text} ({field.description[:1].lower()}{(field.description or ' ')[1:].rstrip('.')})"
            if field.description
            else allowed_text
        )
    if secret:
        return Problem(key, given, allowed_text, "<secret>", secret=True)
    return Problem(key, given, allowed_text, fixing_value(key, field, _value_at(tree, location)))


def _value_at(tree: Any, location: Sequence[str | int]) -> Any:
    for part in location:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return NOT_SET if value is None else repr(text) if not text or " " in text else text[:80] + "…" * (len(text) > 80)


def _in_part(tree: Mapping[str, Any], locations: Sequence[Sequence[str | int]]) -> Settings | None:
    """The settings without what is bad, to compare the good values; None where even that cannot be read."""
    copy: dict[str, Any] = json.loads(json.dumps(tree, default=str))
    for location in locations:
        if location[:1] == ["backends"] and len(location) > 1 and isinstance(copy.get("backends"), list):
            copy["backends"][location[1]] = {}
        else:
            _drop(copy, location)
    try:
        return _SettingsInPart.model_validate(copy)
    except ValidationError:
        return None


def _drop(place: dict[str, Any], location: Sequence[str | int]) -> None:
    """Remove a value, or the list or text in which it should have been."""
    for depth, key in enumerate((str(part) for part in location), start=1):
        inside = place.get(key)
        if depth == len(location) or not isinstance(inside, dict):
            place.pop(key, None)
            return
        place = cast("dict[str, Any]", inside)


def _rests_on(problem: Problem, bad: Sequence[str]) -> bool:
    keys = (problem.key, *problem.related)
    return any(
        key == bad_key or key.startswith((f"{bad_key}.", f"{bad_key}[")) or bad_key.startswith((f"{key}.", f"{key}["))
        for key in keys
        for bad_key in bad
    )


def _plain_secrets(own: Mapping[str, Any], secret: Collection[str]) -> list[Problem]:
    allowed_text = "a value that Pulumi encrypts; this one was in plain text, so give a new one"
    return [
        Problem(key, "a secret as plain text, not shown", allowed_text, "<secret>", secret=True)
        for key in SECRET_KEYS
        if own.get(key) not in (None, "") and key not in secret
    ]


def _without(secrets: Collection[str], problem: Problem) -> Problem:
    return replace(problem, given=masked(problem.given, secrets))
