"""Rules, evaluated: from a query's series to Normal, Pending, Alerting.

Owns: the three kinds of step (query, reduce, threshold), the states of an instance and their times, what no data and an
error count as. Deliberately does not: send anything (notifying.py).
Source: Grafana's documentation, "State and health of alerts"; `pkg/services/ngalert/state`.
"""

from __future__ import annotations

import json
import math
import operator
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.doubles.grafana import go_template
from lab.doubles.grafana.models import DataSource, Group, Query, Rule, seconds
from lab.doubles.grafana.provisioning import Provisioned, Refused

QUERY_SECONDS = 30.0
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {"gt": operator.gt, "lt": operator.lt}

Labels = tuple[tuple[str, str], ...]
Series = dict[Labels, float]


class QueryError(Exception):
    """The data source did not answer the query."""


@dataclass
class Instance:
    """One alert: a rule and a set of labels. `since` is when its condition began to hold, in seconds since 1970."""

    labels: dict[str, str]
    annotations: dict[str, str]
    state: str
    since: float
    value: float
    missing: int = 0


@dataclass
class Watched:
    """A rule, its group, and its instances that are not Normal."""

    rule: Rule
    group: Group
    health: str = "unknown"
    error: str = ""
    evaluated: float = 0.0
    instances: dict[Labels, Instance] = field(default_factory=lambda: dict[Labels, Instance]())

    def state(self) -> str:
        states = {instance.state for instance in self.instances.values()}
        return "firing" if "Alerting" in states else "pending" if "Pending" in states else "inactive"


class Evaluator:
    """All rules, each evaluated when its group's interval has passed."""

    def __init__(self, provisioned: Provisioned) -> None:
        self._sources = provisioned.sources
        self.watched = [Watched(rule, group) for group in provisioned.groups for rule in group.rules]
        for one in self.watched:
            _check_steps(one.rule)

    def evaluate_due(self, now: float) -> None:
        for one in self.watched:
            if not one.rule.isPaused and now - one.evaluated >= seconds(one.group.interval):
                one.evaluated = now
                self._evaluate(one, now)

    def _evaluate(self, one: Watched, now: float) -> None:
        try:
            values, breached = _condition(one.rule, self._sources)
        except QueryError as error:
            one.health, one.error = "error", str(error)
            self._fall_back(one, one.rule.execErrState, now)
            return
        one.health, one.error = "ok", ""
        if not values:
            one.health = "nodata"
            self._fall_back(one, one.rule.noDataState, now)
            return
        for labels, value in values.items():
            if labels in breached:
                _hold(one, labels, value, now)
            else:
                one.instances.pop(labels, None)
        for labels in [labels for labels in one.instances if labels not in values]:
            instance = one.instances[labels]
            instance.missing += 1
            if instance.missing >= one.rule.missing_series_evals_to_resolve:
                del one.instances[labels]

    def _fall_back(self, one: Watched, state: str, now: float) -> None:
        """The state that the rule sets where there is no value to judge."""
        if state == "OK":
            one.instances.clear()
        elif state in ("Alerting", "Error", "NoData"):
            _hold(one, (), math.nan, now)


def _hold(one: Watched, labels: Labels, value: float, now: float) -> None:
    """The condition holds for these labels: pending until it has for as long as the rule demands."""
    instance = one.instances.get(labels)
    if instance is None:
        instance = Instance({}, {}, "Pending", now, value)
        one.instances[labels] = instance
    instance.missing, instance.value = 0, value

    def filled(text: str) -> str:
        return go_template.rendered(text, {}, labels=dict(labels), values={"B": {"Value": value}})

    instance.labels = {
        **dict(labels),
        **{key: filled(text) for key, text in one.rule.labels.items()},
        "alertname": one.rule.title,
        "grafana_folder": one.group.folder,
    }
    instance.annotations = {key: filled(text) for key, text in one.rule.annotations.items()}
    if now - instance.since >= seconds(one.rule.for_):
        instance.state = "Alerting"


def _condition(rule: Rule, sources: Mapping[str, DataSource]) -> tuple[Series, set[Labels]]:
    """The values that the condition judges, and the labels for which it holds."""
    results: dict[str, Series] = {}
    inputs: dict[str, Series] = {}
    for step in rule.data:
        model = step.model
        if step.datasourceUid != "__expr__":
            results[step.refId] = _query(sources[step.datasourceUid], model["expr"])
            continue
        before = results[model["expression"]]
        inputs[step.refId] = before
        if model["type"] == "reduce":
            # dropNN: what is no number is left out.
            results[step.refId] = {labels: value for labels, value in before.items() if math.isfinite(value)}
        else:
            evaluator = model["conditions"][0]["evaluator"]
            holds = _COMPARISONS[evaluator["type"]]
            results[step.refId] = {
                labels: float(holds(value, evaluator["params"][0])) for labels, value in before.items()
            }
    found = results[rule.condition]
    return inputs[rule.condition], {labels for labels, value in found.items() if value}


def _query(source: DataSource, expression: str) -> Series:
    body = urllib.parse.urlencode({"query": expression}).encode()
    try:
        with urllib.request.urlopen(f"{source.url}/api/v1/query", body, timeout=QUERY_SECONDS) as answer:
            found: Any = json.load(answer)["data"]["result"]
    except (OSError, ValueError, KeyError) as error:
        raise QueryError(f"failed to execute query A: {error}") from None
    return {
        tuple(sorted((key, value) for key, value in one["metric"].items() if key != "__name__")): float(one["value"][1])
        for one in found
    }


def _check_steps(rule: Rule) -> None:
    """Raises Refused for a step that this double cannot evaluate, rather than never fire."""
    seen: set[str] = set()
    for step in rule.data:
        problem = _problem(step, seen)
        if problem:
            raise Refused(f"rule {rule.title}: {step.refId}: {problem}")
        seen.add(step.refId)
    if next(step for step in rule.data if step.refId == rule.condition).model.get("type") != "threshold":
        raise Refused(f"rule {rule.title}: the condition is no threshold")


def _problem(step: Query, seen: set[str]) -> str:
    model = step.model
    if model.get("refId") != step.refId:
        return "refId of the model differs"
    if step.datasourceUid != "__expr__":
        instant = model.get("instant") is True and model.get("range") is False
        return "" if instant and model.get("expr") else "no instant query"
    if model.get("expression") not in seen:
        return f"expression {model.get('expression')} is no earlier step"
    if model.get("type") == "reduce":
        return "" if model.get("reducer") == "last" else "unknown reducer"
    if model.get("type") == "threshold":
        kind = model["conditions"][0]["evaluator"]["type"]
        return "" if kind in _COMPARISONS else f"unknown evaluator {kind}"
    return f"unknown type {model.get('type')}"
