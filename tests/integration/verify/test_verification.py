"""One harmless call per backend, through the bridge to real backends: every result, from its real cause."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from hostctl.mcp.probe import Probe
from tests.integration.bridge.client import token
from tests.integration.bridge.parts import (
    Bridge,
    adapted,
    free_port,
    http_backend,
    http_server,
    running_bridge,
    stdio_backend,
)
from tests.integration.bridge.postgres import Database
from verify.__main__ import main
from verify.client import HttpEndpoint, NoSession, all_failed, call_all, longest_timeout, with_session
from verify.documents import StrictModel, Unusable, read_document
from verify.names import Active
from verify.outcome import Outcome
from verify.report import exit_code_of


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Generator[Bridge]:
    port = free_port()
    beta, own = adapted("beta", port)
    folder, backends = tmp_path_factory.mktemp("bridge"), [stdio_backend("alpha"), beta]
    with http_server("beta", port), running_bridge(folder, backends, database.url(), **own) as started:
        yield started


def probe(name: str, tool: str, contains: str | None = None, **arguments: Any) -> dict[str, Any]:
    expect = {} if contains is None else {"contains": [contains]}
    return {"name": name, "tool": f"{name}_{tool}", "arguments": arguments, "expect": expect, "timeout_seconds": 10}


def verified(
    url: str, probes: list[dict[str, Any]], active: Active = "sentinel", bearer: str | None = None
) -> list[Outcome]:
    plan = [TypeAdapter(Probe).validate_python(one) for one in probes]
    endpoint = HttpEndpoint(url, {"Authorization": f"Bearer {bearer or token()}"})
    try:
        return asyncio.run(
            with_session(endpoint, longest_timeout(plan), lambda session: call_all(session, active, plan))
        )
    except NoSession as error:
        return all_failed(active, plan, error)


class Probes(StrictModel):
    probes: tuple[Probe, ...]


def results(outcomes: list[Outcome]) -> list[str]:
    return [outcome.result for outcome in outcomes]


GOOD = [probe("alpha", "echo", "alpha:x", text="x"), probe("beta", "echo", "beta:x", text="x")]


def test_good_answers_are_ok_under_the_names_that_sentinel_offers(bridge: Bridge) -> None:
    found = verified(bridge.url, GOOD)
    assert [(one.name, one.tool, one.result, one.detail) for one in found] == [
        ("alpha", "alpha_echo", "ok", ""),
        ("beta", "beta_echo", "ok", ""),
    ]
    assert all(one.ms >= 0 for one in found)


SLOW = {**probe("beta", "slow", seconds=20), "timeout_seconds": 0.5}


@pytest.mark.parametrize(
    ("bad", "result"),
    [
        (probe("beta", "echo", "something else", text="x"), "differs"),
        (probe("beta", "fail"), "tool-error"),
        (probe("beta", "gone"), "missing"),
        (SLOW, "unreachable"),
    ],
    ids=["differs", "tool-error", "missing", "too-slow"],
)
def test_one_bad_backend_is_named_with_its_reason_and_leaves_the_other_ok(
    bridge: Bridge, bad: dict[str, Any], result: str
) -> None:
    found = verified(bridge.url, [GOOD[0], bad])
    assert results(found) == ["ok", result]
    assert found[1].detail


def test_a_refused_token_is_auth_for_every_backend(bridge: Bridge) -> None:
    assert results(verified(bridge.url, GOOD, bearer=token(iss="mcpgateway"))) == ["auth", "auth"]


def test_a_free_port_is_unreachable_for_every_backend() -> None:
    assert results(verified(f"http://127.0.0.1:{free_port()}/mcp", GOOD)) == ["unreachable", "unreachable"]


def test_a_backend_skipped_by_the_gateway_is_missing(tmp_path: Path, database: Database) -> None:
    backends = [stdio_backend("alpha"), http_backend("beta", free_port())]
    with running_bridge(tmp_path, backends, database.url()) as started:
        assert results(verified(started.url, GOOD)) == ["ok", "missing"]


def test_at_contextforge_the_tools_are_called_under_its_names(bridge: Bridge) -> None:
    found = verified(bridge.url, GOOD, active="contextforge")
    assert [one.tool for one in found] == ["alpha-alpha-echo", "beta-beta-echo"]


@pytest.mark.parametrize(
    ("result", "code"),
    [("ok", 0), ("auth", 3), ("unreachable", 4), ("missing", 5), ("tool-error", 6), ("differs", 7)],
)
def test_each_result_has_an_exit_code_and_the_first_in_order_decides(result: str, code: int) -> None:
    rows = [{"name": "alpha", "result": result}, {"name": "beta", "result": "differs" if code else "ok"}]
    assert exit_code_of({"backends": rows}) == code


def test_an_unknown_command_of_verify_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verifcation"]) == 1
    assert capsys.readouterr().err == "verify takes one of these commands: baseline, gates, verification, check.\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "The document on stdin is wrong at the document: Invalid JSON"),
        (b'{"probes": [{"name": "alpha"}]}', "The document on stdin is wrong at probes.0.tool: Field required."),
        (
            b'{"probes": [{"name": "alpha", "tool": "t", "nmae": ""}]}',
            "is wrong at probes.0.nmae: Unexpected keyword argument.",
        ),
        (b'{"probes": [], "prboes": []}', "is wrong at prboes: Extra inputs are not permitted."),
        (
            b'{"probes": [{"name": "alpha", "tool": ""}]}',
            "a probe needs the name of a backend and the name of its tool.",
        ),
        (
            b'{"probes": [{"name": "alpha", "tool": "t", "timeout_seconds": 0}]}',
            "timeout_seconds of the probe alpha must be above 0 and at most 86400.",
        ),
    ],
)
def test_a_wrong_document_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(Unusable) as caught:
        read_document(Probes, content)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
