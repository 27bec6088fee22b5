"""The provisioning folders, read once at the start.

Owns: which files are read, which fields are expanded, the refusals over several files.
Deliberately does not: go on with half of it: anything refused ends the program, as it ends Grafana.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import ValidationError

from lab.doubles.grafana import go_template
from lab.doubles.grafana.interpolation import expanded
from lab.doubles.grafana.models import (
    Alerting,
    ContactPoint,
    DataSource,
    DataSources,
    Group,
    Model,
    Policy,
    Providers,
)

Of = TypeVar("Of", bound=Model)


class Refused(Exception):
    """Grafana would not start with this; the text is for its log."""


@dataclass(frozen=True)
class Dashboard:
    """A dashboard's own JSON, and the folder that it is in."""

    model: Mapping[str, Any]
    folder: str
    folder_uid: str


@dataclass
class Provisioned:
    sources: dict[str, DataSource] = field(default_factory=lambda: dict[str, DataSource]())
    dashboards: dict[str, Dashboard] = field(default_factory=lambda: dict[str, Dashboard]())
    groups: list[Group] = field(default_factory=lambda: list[Group]())
    contact_points: dict[str, ContactPoint] = field(default_factory=lambda: dict[str, ContactPoint]())
    policy: Policy | None = None
    templates: go_template.Definitions = field(default_factory=lambda: cast(go_template.Definitions, {}))


def read(folder: Path) -> Provisioned:
    """Everything below `/etc/grafana/provisioning`; raises Refused."""
    found = Provisioned()
    for file in _files(folder / "datasources"):
        for source in _checked(DataSources, expanded(_yaml(file)), file).datasources:
            found.sources[source.uid] = source
    for file in _files(folder / "dashboards"):
        for provider in _checked(Providers, expanded(_yaml(file)), file).providers:
            for path in sorted(Path(provider.options.path).glob("*.json")):
                _add_dashboard(found, path, provider.folder, provider.folderUid or provider.folder.lower())
    for file in _files(folder / "alerting"):
        _add_alerting(found, _checked(Alerting, _alerting_expanded(_yaml(file)), file))
    _check_together(found)
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix in (".yaml", ".yml")) if folder.exists() else []


def _yaml(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise Refused(f"{file}: {error}") from None


def _checked(model: type[Of], content: Any, file: Path) -> Of:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Refused(f"{file.name}: {where}: {first['msg']}") from None


def _alerting_expanded(content: Any) -> Any:
    """All but annotations, query models and templates, which Grafana leaves as they are."""
    kept = ("annotations", "model", "relativeTimeRange", "template")

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {key: one if key in kept else walk(one) for key, one in items}
        if isinstance(value, list):
            return [walk(one) for one in cast("list[Any]", value)]
        return expanded(value)

    return walk(content)


def _add_dashboard(found: Provisioned, path: Path, folder: str, folder_uid: str) -> None:
    try:
        model: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Refused(f"{path}: {error}") from None
    if not isinstance(model, dict) or "spec" in model:
        raise Refused(f"{path}: dashboard appears to be in v2 format")
    known = cast("dict[str, Any]", model)
    if not known.get("title") or not known.get("uid"):
        raise Refused(f"{path}: Dashboard title cannot be empty")
    if known["uid"] in found.dashboards:
        raise Refused(f"{path}: the same UID is used more than once")
    found.dashboards[known["uid"]] = Dashboard(known, folder, folder_uid)


def _add_alerting(found: Provisioned, file: Alerting) -> None:
    found.groups += file.groups
    for point in file.contactPoints:
        found.contact_points[point.name] = point
    if file.policies:
        if len(file.policies) > 1 or found.policy is not None:
            raise Refused("only one policy tree per organization")
        found.policy = file.policies[0]
    for template in file.templates:
        try:
            found.templates.update(go_template.parsed(template.template)[1])
        except go_template.TemplateError as error:
            raise Refused(f"invalid template {template.name}: {error}") from None


def _check_together(found: Provisioned) -> None:
    uids: set[str] = set()
    for group in found.groups:
        for rule in group.rules:
            names = [query.refId for query in rule.data]
            if rule.uid in uids:
                raise Refused(f"rule {rule.uid}: the same UID is used more than once")
            uids.add(rule.uid)
            if rule.condition not in names:
                raise Refused(f"rule {rule.title}: condition {rule.condition} does not exist, must be one of {names}")
            if bool(rule.dashboardUid) != bool(rule.panelId):
                raise Refused(f"rule {rule.title}: both dashboard UID and panel ID are needed")
            for query in rule.data:
                if query.datasourceUid != "__expr__" and query.datasourceUid not in found.sources:
                    raise Refused(f"rule {rule.title}: data source {query.datasourceUid} not found")
    if found.policy is not None and found.policy.receiver not in found.contact_points:
        raise Refused(f"receiver '{found.policy.receiver}' does not exist")
