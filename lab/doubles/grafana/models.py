"""The provisioning files' formats, strict: an unknown key is refused, as is everything that Grafana ends for.

The real Grafana ignores most unknown keys; here they are refused, since a misspelt key is a setting that is not there.
Written from Grafana's own structs, apart from `dashboards/alerting`, which writes what this reads.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SCHEDULER_SECONDS = 10
"""Grafana's scheduler: a group's interval is a multiple of it, else Grafana ends at its start."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def seconds(duration: str) -> float:
    """`1h30m` in seconds; raises ValueError."""
    parts = re.findall(r"(\d+)(ms|s|m|h|d|w)", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"{duration!r} is no duration")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _duration(value: str) -> str:
    seconds(value)
    return value


def _interval(value: str) -> str:
    if not seconds(value) or seconds(value) % SCHEDULER_SECONDS:
        message = (
            f"interval ({value}) should be non-zero and divided exactly by scheduler interval: {SCHEDULER_SECONDS}"
        )
        raise ValueError(message)
    return value


Uid = Annotated[str, Field(pattern=r"^[a-zA-Z0-9\-_]{1,40}$")]
Duration = Annotated[str, AfterValidator(_duration)]
OrgId = Literal[1]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataSource(Model):
    name: Annotated[str, Field(min_length=1)]
    uid: Uid
    type: Literal["prometheus"]
    access: Literal["proxy"]
    orgId: OrgId
    url: Annotated[str, Field(pattern=r"^https?://")]
    isDefault: bool
    editable: bool
    jsonData: dict[str, Any]


class DataSources(Model):
    apiVersion: Literal[1]
    prune: bool = False
    datasources: list[DataSource]


class ProviderOptions(Model):
    path: str
    foldersFromFilesStructure: bool = False


class Provider(Model):
    name: str
    orgId: OrgId
    folder: str = ""
    folderUid: Uid | None = None
    type: Literal["file"]
    disableDeletion: bool = False
    allowUiUpdates: bool = False
    updateIntervalSeconds: int = 10
    options: ProviderOptions


class Providers(Model):
    apiVersion: Literal[1]
    providers: list[Provider]


class TimeRange(Model):
    from_: Annotated[int, Field(alias="from")]
    to: int


class Query(Model):
    refId: str
    datasourceUid: str
    relativeTimeRange: TimeRange
    model: dict[str, Any]


class Rule(Model):
    uid: Uid
    title: Annotated[str, Field(min_length=1, max_length=190)]
    condition: Annotated[str, Field(min_length=1)]
    data: Annotated[list[Query], Field(min_length=1)]
    for_: Annotated[Duration, Field(alias="for")] = "0s"
    keepFiringFor: Duration = "0s"
    missing_series_evals_to_resolve: int = 2
    noDataState: Literal["NoData", "OK", "Alerting", "KeepLast"] = "NoData"
    execErrState: Literal["Error", "OK", "Alerting", "KeepLast"] = "Alerting"
    isPaused: bool = False
    dashboardUid: str = ""
    panelId: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Group(Model):
    orgId: OrgId
    name: Annotated[str, Field(min_length=1)]
    folder: Annotated[str, Field(min_length=1)]
    interval: Annotated[str, AfterValidator(_interval)]
    rules: list[Rule]


class DiscordSettings(Model):
    url: Annotated[str, Field(min_length=1)]
    title: str = ""
    message: str = ""
    avatar_url: str = ""
    use_discord_username: bool = False


class Receiver(Model):
    uid: Uid
    type: Literal["discord"]
    disableResolveMessage: bool = False
    settings: DiscordSettings


class ContactPoint(Model):
    orgId: OrgId
    name: Annotated[str, Field(min_length=1)]
    receivers: list[Receiver]


class Policy(Model):
    orgId: OrgId
    receiver: str
    group_by: list[str]
    group_wait: Duration = "30s"
    group_interval: Duration = "5m"
    repeat_interval: Duration = "4h"


class Template(Model):
    orgId: OrgId
    name: Annotated[str, Field(min_length=1)]
    template: Annotated[str, Field(min_length=1)]


class Deletion(Model):
    orgId: OrgId
    uid: Uid


class Alerting(Model):
    """One file; what it does not hold is empty."""

    apiVersion: Literal[1]
    groups: list[Group] = []
    deleteRules: list[Deletion] = []
    contactPoints: list[ContactPoint] = []
    policies: list[Policy] = []
    templates: list[Template] = []
