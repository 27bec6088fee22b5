"""The metrics of several processes as one text."""

from __future__ import annotations

from bridge.metrics import merged

FIRST = """# HELP sentinel_backend_healthy Backend health status
# TYPE sentinel_backend_healthy gauge
sentinel_backend_healthy{backend="alpha"} 1
# HELP sentinel_requests_total Total MCP requests
# TYPE sentinel_requests_total counter
sentinel_requests_total{status="success",tool="a b}"} 2
process_open_fds 7
process_seconds_total 0.25
"""
SECOND = """# HELP sentinel_backend_healthy Backend health status
# TYPE sentinel_backend_healthy gauge
sentinel_backend_healthy{backend="beta"} 0
process_open_fds 5
process_seconds_total 0.5
"""


def test_disjoint_samples_stand_side_by_side_and_those_of_a_process_are_summed() -> None:
    assert merged([FIRST, SECOND]).splitlines() == [
        "process_open_fds 12",
        "process_seconds_total 0.75",
        "# HELP sentinel_backend_healthy Backend health status",
        "# TYPE sentinel_backend_healthy gauge",
        'sentinel_backend_healthy{backend="alpha"} 1',
        'sentinel_backend_healthy{backend="beta"} 0',
        "# HELP sentinel_requests_total Total MCP requests",
        "# TYPE sentinel_requests_total counter",
        'sentinel_requests_total{status="success",tool="a b}"} 2',
    ]


def test_one_text_is_as_it_was() -> None:
    assert sorted(merged([FIRST]).splitlines()) == sorted(FIRST.splitlines())


def test_a_verdict_on_a_backend_stands_in_place_of_the_gateways_own_gauge() -> None:
    text = merged([FIRST, SECOND], {"alpha": False, "gamma": True})
    assert text.count("# TYPE sentinel_backend_healthy gauge") == 1
    assert [line for line in text.splitlines() if line.startswith("sentinel_backend_healthy{")] == [
        'sentinel_backend_healthy{backend="alpha"} 0',
        'sentinel_backend_healthy{backend="gamma"} 1',
        'sentinel_backend_healthy{backend="beta"} 0',
    ]
