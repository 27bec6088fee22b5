"""The parts that local and remote commands share.

Owns: which command a change runs, what goes into its environment, what is echoed, which outputs are secret or unknown.
Deliberately does not: run anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pulumi.provider.experimental.provider import DiffResponse
from pulumi.runtime.rpc import UNKNOWN

from lab.doubles.plugins.frame.schema import Field, Schema, diff_response
from lab.doubles.plugins.frame.serve import EngineLog
from lab.doubles.plugins.frame.values import PlainMap, text

_ECHO_STDOUT = ("", "stdout", "stdoutAndStderr")
_ECHO_STDERR = ("", "stderr", "stdoutAndStderr")


@dataclass(frozen=True)
class Run:
    """One run of a command for a resource: its inputs, and the output of the run before."""

    urn: str
    inputs: PlainMap
    previous: PlainMap
    log: EngineLog

    def previous_output(self) -> dict[str, str]:
        if self.inputs.get("addPreviousOutputInEnv") is False:
            return {}
        echoed = {
            "PULUMI_COMMAND_STDOUT": text(self.previous.get("stdout")),
            "PULUMI_COMMAND_STDERR": text(self.previous.get("stderr")),
        }
        return {key: value for key, value in echoed.items() if value}

    def echo_stdout(self) -> Callable[[str], None] | None:
        return self._echo() if text(self.inputs.get("logging")) in _ECHO_STDOUT else None

    def echo_stderr(self) -> Callable[[str], None] | None:
        return self._echo() if text(self.inputs.get("logging")) in _ECHO_STDERR else None

    def _echo(self) -> Callable[[str], None]:
        return lambda line: self.log.info(self.urn, line)


def command_schema(*fields: str, replacing: tuple[str, ...] = ("triggers",)) -> Schema:
    table = {key: Field(replace=False) for key in fields} | {key: Field() for key in replacing}
    return Schema(fields=table, defaults={}, autonamed=False)


def command_diff(schema: Schema, state: PlainMap, inputs: PlainMap, ignored: list[str]) -> DiffResponse:
    """Recorded: the plugin marks the replacing paths but names no replacing properties, and creates first."""
    response = diff_response(schema.differences(state, inputs, ignored), delete_first=False)
    response.replaces = []
    return response


def command_for_update(inputs: PlainMap) -> str | None:
    chosen = inputs.get("update")
    chosen = inputs.get("create") if chosen is None else chosen
    return None if chosen is None else text(chosen)


def previewed(inputs: PlainMap) -> PlainMap:
    return inputs | {"stdout": UNKNOWN, "stderr": UNKNOWN}
