"""The report on a configuration that cannot be used: every problem, the line that fixes it, and no secret's value."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pulumi

T = TypeVar("T")
NOT_SET = "nothing"
HIDDEN = "(a secret, not shown)"


@dataclass(frozen=True)
class Problem:
    """One problem of the configuration.

    `key` is spelled as for `pulumi config set --path`; `value` is what fixes it, a word in angle brackets where only
    the operator can know it, and None where the key is to be removed. `related` names further keys that were compared.
    """

    key: str
    given: str
    allowed: str
    value: str | None
    secret: bool = False
    related: tuple[str, ...] = ()


class SettingsError(pulumi.RunError):
    """The configuration cannot be used; its text lists every problem.

    The language host shows it without a traceback.
    """

    def __init__(self, problems: Sequence[Problem], *, literal_keys: Collection[str] = (), stack: str | None = None):
        self.problems = tuple(problems)
        self.literal_keys = frozenset(literal_keys)
        self.stack = stack
        super().__init__(self._text())

    def _text(self) -> str:
        """The whole text for a person: one paragraph per problem, each with the line that fixes it."""
        count = len(self.problems)
        name = f"of stack {self.stack} " if self.stack else ""
        plural = "" if count == 1 else "s"
        lines = [f"The configuration {name}cannot be used: {count} problem{plural}, nothing was touched."]
        for problem in self.problems:
            lines += [
                "",
                problem.key,
                f"  given:   {problem.given}",
                f"  allowed: {problem.allowed}",
                f"  fix:     {fixing_line(problem, self.literal_keys, self.stack)}",
            ]
        return "\n".join(lines)


def fixing_line(problem: Problem, literal_keys: Collection[str] = (), stack: str | None = None) -> str:
    """The `pulumi config` command that fixes a problem; Pulumi prompts for the value of a secret.

    A key that was given in its literal dotted spelling is fixed in that spelling, since that one wins.
    """
    nested = problem.key not in literal_keys and any(sign in problem.key for sign in ".[")
    argv = ["pulumi", "config", "rm" if problem.value is None else "set"]
    argv += ["--path"] if nested else []
    argv += ["--secret"] if problem.secret and problem.value is not None else []
    argv += ["--stack", shlex.quote(stack)] if stack else []
    argv.append(shlex.quote(problem.key))
    if problem.value is not None and not problem.secret:
        value = problem.value
        argv.append(f"'{value}'" if value.startswith("<") else shlex.quote(value))
    return " ".join(argv)


def masked(text: str, secrets: Collection[str]) -> str:
    """The text without any of the secrets; short ones count too, since a short secret is what is refused."""
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            text = text.replace(secret, HIDDEN)
    return text


def texts(values: Iterable[Any]) -> set[str]:
    """Every text in these values, and in those that are JSON each text within."""
    found: set[str] = set()
    for value in values:
        if isinstance(value, Mapping):
            found |= texts(cast(Mapping[str, Any], value).values())
        elif isinstance(value, list | tuple):
            found |= texts(cast(Sequence[Any], value))
        elif value is not None:
            found.add(str(value))
            if isinstance(value, str) and value[:1] in ("{", "["):
                try:
                    found |= texts([json.loads(value)])
                except (ValueError, RecursionError):
                    continue
    return found


def repeated(named: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T, str]]:
    """Each key whose value an earlier key has too, with that value and the first such key."""
    first: dict[T, str] = {}
    for key, value in named:
        if value in first:
            yield key, value, first[value]
        first.setdefault(value, key)
