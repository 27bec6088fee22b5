"""The double's strict formats accept the product's files, and refuse those for which Grafana exits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.doubles.grafana.evaluation import Evaluator
from lab.doubles.grafana.provisioning import Provisioned, Refused, read
from tests.integration.grafana.conftest import WEBHOOK, provisioned_files


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return provisioned_files(tmp_path, WEBHOOK)


def changed(folder: Path, file: str, change: Callable[[Any], None]) -> None:
    path = folder / file
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def test_the_products_files_are_accepted(written: Path) -> None:
    found: Provisioned = read(written)
    assert list(found.sources) == ["prometheus"]
    assert [board.folder for board in found.dashboards.values()] == ["Sentinel"] * 2
    assert [rule.title for rule in found.groups[0].rules] == [
        "Gateway down",
        "Backend unhealthy",
        "Calls fail",
        "Calls are slow",
        "Audit rows lost",
        "Backup too old",
        "Rollback not possible",
        "Token ends soon",
        "Token ends",
        "Memory above target",
        "Firewall rules lost",
        "Disk nearly full",
    ]
    assert found.contact_points["discord"].receivers[0].settings.url == WEBHOOK
    assert len(Evaluator(found).watched) == len(found.groups[0].rules)


def rule(content: Any) -> Any:
    return content["groups"][0]["rules"][0]


REFUSALS: dict[str, tuple[str, Callable[[Any], None], str]] = {
    "interval": (
        "alerting/rules.yaml",
        lambda content: content["groups"][0].update(interval="15s"),
        "interval (15s) should be non-zero and divided exactly by scheduler interval: 10",
    ),
    "no-uid": ("alerting/rules.yaml", lambda content: rule(content).pop("uid"), "uid: Field required"),
    "long-uid": ("alerting/rules.yaml", lambda content: rule(content).update(uid="u" * 41), "String should match"),
    "api-key": ("alerting/rules.yaml", lambda content: rule(content).update(folderUID="x"), "Extra inputs"),
    "condition": (
        "alerting/rules.yaml",
        lambda content: rule(content).update(condition="D"),
        "condition D does not exist, must be one of ['A', 'B', 'C']",
    ),
    "twice": (
        "alerting/rules.yaml",
        lambda content: content["groups"][0]["rules"].append(rule(content)),
        "the same UID is used more than once",
    ),
    "panel": (
        "alerting/rules.yaml",
        lambda content: rule(content).update(panelId=0),
        "both dashboard UID and panel ID",
    ),
    "data-source": (
        "datasources/prometheus.yaml",
        lambda content: content["datasources"][0].update(uid="other"),
        "data source prometheus not found",
    ),
    "receiver": (
        "alerting/policies.yaml",
        lambda content: content["policies"][0].update(receiver="nobody"),
        "receiver 'nobody' does not exist",
    ),
    "boolean-as-text": (
        "alerting/contact-points.yaml",
        lambda content: content["contactPoints"][0]["receivers"][0]["settings"].update(use_discord_username="true"),
        "Input should be a valid boolean",
    ),
    "template": (
        "alerting/templates.yaml",
        lambda content: content["templates"][0].update(template='{{ define "x" }}{{ if .Status }}'),
        "invalid template sentinel",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_file_for_which_grafana_exits_is_refused(written: Path, case: str) -> None:
    file, change, words = REFUSALS[case]
    changed(written, file, change)
    with pytest.raises(Refused) as refused:
        read(written)
    assert words in str(refused.value)


def test_a_dollar_in_a_secret_is_eaten_as_grafana_eats_it(written: Path) -> None:
    """Grafana's own defect (issue 130055), which is why the settings refuse such a secret."""
    webhook = Path(written.parents[2], "webhook")
    webhook.write_text(WEBHOOK + "Pa$sw0rd")
    assert read(written).contact_points["discord"].receivers[0].settings.url == WEBHOOK + "Pa"


def test_a_dollar_in_a_title_needs_a_second_one(written: Path) -> None:
    def labelled(value: str) -> str:
        changed(written, "alerting/rules.yaml", lambda content: rule(content)["labels"].update(x=value))
        return read(written).groups[0].rules[0].labels["x"]

    assert labelled("{{ $labels.backend }}") == "{{ .backend }}"
    assert labelled("{{ $$labels.backend }}") == "{{ $labels.backend }}"
