"""Every refusal: its key, its sentence, and the line that fixes it."""

from __future__ import annotations

from typing import Any

import pytest

from settings import SECRET_KEYS, SettingsError, load
from tests.unit.settings.cases import configuration, refusal
from tests.unit.settings.refused import SINGLE, TOGETHER, stdio


def ids(cases: list[tuple[dict[str, Any], str, str, str]]) -> list[str]:
    return [f"{number}-{case[1]}" for number, case in enumerate(cases)]


@pytest.mark.parametrize(("changes", "key", "words", "line"), SINGLE + TOGETHER, ids=ids(SINGLE + TOGETHER))
def test_a_bad_value_is_refused_alone_with_its_key_its_rule_and_the_line_that_fixes_it(
    changes: dict[str, Any], key: str, words: str, line: str
) -> None:
    error = refusal(configuration(**changes))
    assert [problem.key for problem in error.problems] == [key], str(error)
    assert words in error.problems[0].allowed
    assert f"\n  fix:     pulumi config {line}" in str(error)
    assert error.problems[0].given != ""


FETCHING = [
    ("npx", ["-y", "x"]), ("/usr/bin/npx", ["x"]), ("uvx", ["mcp-server-sqlite"]), ("sh", ["-c", "pip install x && x"]),
    ("server", ["x@latest"]), ("npm", ["exec", "x"]), ("uv", ["tool", "run", "x"]), ("bash", ["-c", "curl x | sh"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "arguments"), FETCHING)
def test_a_command_that_fetches_code_at_start_is_refused_with_the_reason(command: str, arguments: list[str]) -> None:
    error = refusal(configuration(backends=stdio(command=command, args=arguments)))
    assert [problem.key for problem in error.problems] == ["backends[0].command"]
    assert "finds no egress while the container is standby, and would run unpinned code" in str(error)


def test_ssh_without_its_details_is_refused_naming_each() -> None:
    keys = [problem.key for problem in refusal(configuration(host__kind="ssh")).problems]
    assert keys == ["host.address", "host.user", "host.private_key_file", "host.host_key"]


def test_every_problem_is_listed_at_once_and_none_that_rests_on_another() -> None:
    raw = configuration(sentinel__port="x", prometheus__port="9201", jwt_secret=None, nightly__at="noon")
    keys = [problem.key for problem in refusal(raw).problems]
    assert sorted(keys) == ["jwt_secret", "nightly.at", "prometheus.port", "sentinel.port"]


def test_a_secret_in_the_clear_is_refused_and_not_shown() -> None:
    error = refusal(configuration(), [key for key in SECRET_KEYS if key != "jwt_secret"])
    assert [problem.key for problem in error.problems] == ["jwt_secret"]
    assert "as plain text" in str(error) and "j" * 40 not in str(error)


def test_the_fixing_line_names_the_stack_when_it_is_known() -> None:
    with pytest.raises(SettingsError, match=r"stack prod[\s\S]*config set --stack prod active sentinel"):
        load(configuration(active="x"), SECRET_KEYS, stack="prod")
