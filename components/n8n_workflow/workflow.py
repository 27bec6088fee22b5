"""The uptime check's workflow in n8n, which probes the gateway, Prometheus and Grafana like the operator's heartbeat.

    Every 5 minutes -> Targets -> GET -> What changed -> Discord -> Acknowledged

Owns: its nodes and their order, and the texts of each target's embeds; the two programs of its Code nodes are beside
this file. Its memory is n8n's static data of the workflow, which survives an update in place and a restart of n8n.

Deliberately does not: hold the webhook. The Discord node names a credential, which `hostctl n8n` makes and enters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hostctl.health_watch import n8n_mark
from settings import Settings

NAME = "Sentinel health watch"
DISCORD = "n8n-nodes-base.discord"
GATEWAY_IMPACT = "Claude's tools fail. First check: make status. To roll back: make rollback."
LONGEST_PROBE_SECONDS = 10
LIMIT_SECONDS = 90
"""Limit of one run: a probe that times out, then three tries at Discord. Runs must not overlap, since neither would see
the other's memory; so a probe may take a third of the time between two runs, and ten seconds at most."""

_HERE = Path(__file__).parent
MARK = "5e471e1a-0a7c-4d1e-9c00-000000000001"
"""The first node's id, by which `hostctl n8n` finds our workflow, whatever its name."""


@dataclass(frozen=True)
class Target:
    """One probed address, and the texts of its embeds."""

    name: str
    url: str
    down: str
    up: str
    impact: str


def targets(settings: Settings, *, prometheus: str, grafana: str, gateway: str) -> list[Target]:
    """The services of this stack, by the `host:port` at which n8n reaches each."""
    alarms, unaffected = settings.prometheus.enabled, "the gateway itself is not affected. First check: docker logs."
    probed = [_target("gateway", "Sentinel", f"http://{gateway}/health", GATEWAY_IMPACT)]
    if alarms:
        impact = f"No alert can fire; {unaffected}"
        probed.append(_target("prometheus", "Prometheus", f"http://{prometheus}/-/ready", impact))
    if alarms and settings.grafana.enabled:
        impact = f"No alert can be sent; {unaffected}"
        probed.append(_target("grafana", "Grafana", f"http://{grafana}/api/health", impact))
    return probed


def _target(name: str, service: str, url: str, impact: str) -> Target:
    return Target(name, url, f"{service} is down", f"{service} is back", impact)


def workflow(watched: Sequence[Target], *, minutes: float, failures: int) -> Mapping[str, Any]:
    """As n8n's public API takes it: name, nodes, connections, settings. Below a minute the schedule counts seconds."""
    nodes = [
        _node("Schedule", "n8n-nodes-base.scheduleTrigger", 1.2, {"rule": {"interval": [_interval(minutes)]}}),
        _node("Targets", "n8n-nodes-base.code", 2, _code(_listed(watched))),
        _node(
            "GET",
            "n8n-nodes-base.httpRequest",
            4.2,
            {
                "method": "GET",
                "url": "={{ $json.url }}",
                "options": {
                    "timeout": round(1000 * min(LONGEST_PROBE_SECONDS, 20 * minutes)),
                    "response": {"response": {"fullResponse": True, "neverError": True}},
                },
            },
            onError="continueRegularOutput",
        ),
        _node("What changed", "n8n-nodes-base.code", 2, _code(_judged(watched, failures))),
        _node(
            "Discord",
            DISCORD,
            2,
            {
                "authentication": "webhook",
                "operation": "sendLegacy",
                "content": "",
                "embeds": {"values": [{"inputMethod": "json", "json": "={{ JSON.stringify($json.embed) }}"}]},
                "options": {"username": "Sentinel"},
            },
            webhookId=n8n_mark.identity(MARK, 9),
            onError="continueRegularOutput",
            retryOnFail=True,
            maxTries=3,
            waitBetweenTries=5000,
        ),
        _node("Acknowledged", "n8n-nodes-base.code", 2, _code(_program("acknowledged.js"))),
    ]
    return {
        "name": NAME,
        **n8n_mark.chained(MARK, nodes),
        "settings": {
            "executionOrder": "v1",
            "timezone": "UTC",
            "saveDataSuccessExecution": "none",
            "saveDataErrorExecution": "all",
            "executionTimeout": LIMIT_SECONDS,
        },
    }


def _interval(minutes: float) -> Mapping[str, object]:
    if minutes < 1:
        return {"field": "seconds", "secondsInterval": round(minutes * 60)}
    return {"field": "minutes", "minutesInterval": int(minutes)}


def _node(name: str, kind: str, version: float, parameters: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "typeVersion": version, "parameters": dict(parameters), **options}


def _code(program: str) -> Mapping[str, str]:
    return {"mode": "runOnceForAllItems", "language": "javaScript", "jsCode": program}


def _listed(watched: Sequence[Target]) -> str:
    items = json.dumps([{"json": {"name": target.name, "url": target.url}} for target in watched], indent=1)
    return f"return {items};\n"


def _judged(watched: Sequence[Target], failures: int) -> str:
    texts = json.dumps([{key: value for key, value in asdict(target).items() if key != "url"} for target in watched])
    return f"const TARGETS = {texts};\nconst FAILURES = {failures};\n{_program('state.js')}"


def _program(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
