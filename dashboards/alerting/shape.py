"""Grafana's alerting files, as its file provisioning reads them.

Owns: the shapes of a rule file, a contact point, a notification policy and templates. Field names, required fields and
defaults are those of Grafana's `pkg/services/provisioning/alerting` (`reference/formats.md`, section 1). They are not
the HTTP API's, which the foundation SDK builds.
Deliberately does not: know any rule of ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = ["ContactPoints", "Policies", "Rule", "RuleGroup", "Rules", "Template", "Templates", "file_of"]

Uid = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$")]
NoDataState = Literal["NoData", "OK", "Alerting", "KeepLast"]
ErrorState = Literal["Error", "OK", "Alerting", "KeepLast"]


class Shape(BaseModel):
    """Immutable, camelCase in the file, and only members that Grafana knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class TimeRange(Shape):
    """Seconds before now."""

    from_seconds: Annotated[int, Field(alias="from")]
    to: int = 0


class Query(Shape):
    """One step of a rule: a query of Prometheus, or an expression over an earlier step."""

    ref_id: str
    datasource_uid: str
    relative_time_range: TimeRange
    model: dict[str, Any]


class Rule(Shape):
    """One alert rule; its condition must hold for `for_`."""

    uid: Uid
    title: Annotated[str, Field(min_length=1, max_length=190)]
    condition: str
    data: Annotated[tuple[Query, ...], Field(min_length=1)]
    for_: Annotated[str, Field(alias="for", pattern=r"^\d+[sm]$")]
    no_data_state: NoDataState
    exec_err_state: ErrorState
    is_paused: bool
    dashboard_uid: Uid
    panel_id: int
    labels: dict[str, str]
    annotations: dict[str, str]


class RuleGroup(Shape):
    """Rules that are evaluated together."""

    org_id: int = 1
    name: str
    folder: str
    interval: Annotated[str, Field(pattern=r"^\d+0s$")]
    rules: tuple[Rule, ...]


class Rules(Shape):
    """alerting/rules.yaml"""

    api_version: Literal[1] = 1
    groups: tuple[RuleGroup, ...]


class DiscordSettings(Shape):
    """Settings of the receiver `discord`; these keys are snake_case in Grafana too."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=None)

    url: str
    use_discord_username: bool
    title: str
    message: str


class Receiver(Shape):
    uid: Uid
    type: Literal["discord"]
    disable_resolve_message: bool
    settings: DiscordSettings


class ContactPoint(Shape):
    org_id: int = 1
    name: str
    receivers: tuple[Receiver, ...]


class ContactPoints(Shape):
    """alerting/contact-points.yaml"""

    api_version: Literal[1] = 1
    contact_points: tuple[ContactPoint, ...]


class Policy(Shape):
    """The root of the policy tree; it replaces the whole tree. Its times are snake_case in Grafana's file."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=None, populate_by_name=True)

    org_id: Annotated[int, Field(alias="orgId")] = 1
    receiver: str
    group_by: tuple[str, ...]
    group_wait: str
    group_interval: str
    repeat_interval: str


class Policies(Shape):
    """alerting/policies.yaml"""

    api_version: Literal[1] = 1
    policies: tuple[Policy, ...]


class Template(Shape):
    org_id: int = 1
    name: str
    template: str


class Templates(Shape):
    """alerting/templates.yaml"""

    api_version: Literal[1] = 1
    templates: tuple[Template, ...]


def file_of(shape: Shape) -> str:
    """The shape as YAML, keys in the order of the model."""
    return yaml.safe_dump(shape.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True, width=110)
