"""Workflows as n8n returns them, and the mark of ours: the id of the first node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hostctl.core.documents import rows, table

CREDENTIAL = "discordWebhookApi"
"""n8n's type of a Discord webhook; its one field is `webhookUri`."""


def mark(workflow: dict[str, Any]) -> str:
    """The id of the workflow's first node."""
    return str(nodes(workflow)[0]["id"])


def ours(workflows: list[dict[str, Any]], first: str) -> dict[str, Any] | None:
    """The workflow with a node of this id in it; the oldest, since a copy is the operator's own."""
    marked = [workflow for workflow in workflows if any(node.get("id") == first for node in nodes(workflow))]
    return min(marked, key=lambda workflow: str(workflow.get("createdAt", "")), default=None)


def nodes(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """The workflow's nodes as objects, whatever n8n returned."""
    return [table(node) for node in rows(workflow.get("nodes"))]


def sender(workflow: dict[str, Any]) -> dict[str, Any]:
    """The node that posts to Discord, empty when somebody removed it."""
    empty: dict[str, Any] = {}
    return next((node for node in nodes(workflow) if node.get("type") == "n8n-nodes-base.discord"), empty)


def identity(first: str, number: int) -> str:
    """The id of a node of ours; the first node's is the mark."""
    return f"{first[:-1]}{number}"


def chained(first: str, nodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The members "nodes" and "connections" of a workflow in which each node feeds the next; the first has the mark."""
    placed = [{**node, "id": identity(first, at), "position": [220 * at, 0]} for at, node in enumerate(nodes, start=1)]
    names = [str(node["name"]) for node in placed]
    return {
        "nodes": placed,
        "connections": {
            name: {"main": [[{"node": after, "type": "main", "index": 0}]]} for name, after in zip(names, names[1:])
        },
    }
