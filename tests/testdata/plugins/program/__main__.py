"""Registers the resources of `resources.json`, in its order.

Each has `kind` ("docker.Container"), `arguments`, `options`. `{"of": NAME, "output": "id"}` is another resource's
output, `{"secret": VALUE}` a secret, `{"text": …}`/`{"file": …}` an asset.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any, cast

import pulumi

wanted: dict[str, Any] = json.loads(Path(__file__).with_name("resources.json").read_text())
made: dict[str, Any] = {}


def resolve(value: Any) -> Any:
    if isinstance(value, list):
        return [resolve(item) for item in cast("list[Any]", value)]
    return resolve_object(cast("dict[str, Any]", value)) if isinstance(value, dict) else value


def resolve_object(value: dict[str, Any]) -> Any:
    if "of" in value:
        return getattr(made[value["of"]], value["output"])
    if "secret" in value:
        return pulumi.Output.secret(resolve(value["secret"]))
    if set(value) == {"text"}:
        return pulumi.StringAsset(value["text"])
    if set(value) == {"file"}:
        return pulumi.FileAsset(value["file"])
    return {key: resolve(item) for key, item in value.items()}


def member(dotted: str) -> Any:
    package, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(f"pulumi_{package}"), name)


for name, resource in wanted.items():
    if resource["kind"] == "command.local.run":
        pulumi.export(name, member(resource["kind"])(**resolve(resource["arguments"])).stdout)
        continue
    options = dict(resource.get("options", {}))
    options["depends_on"] = [made[other] for other in options.pop("depends_on", [])]
    options["provider"] = made[options["provider"]] if "provider" in options else None
    made[name] = member(resource["kind"])(
        name, opts=pulumi.ResourceOptions(**options), **resolve(resource["arguments"])
    )
    for output in resource.get("exported", []):
        pulumi.export(f"{name}.{output}", getattr(made[name], output))
