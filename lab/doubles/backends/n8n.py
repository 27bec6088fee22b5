"""A double of the operator's sidecar over n8n's public API, an MCP server at http://n8n-mcp:8000/mcp.

The operator's sidecar is published nowhere, and the published `n8n-mcp` is another program with other
tools. The API is n8n's (`GET /api/v1/workflows`, header X-N8N-API-KEY); the SDK is the official one.

Owns: two tools that change nothing. Deliberately does not: know which program answers the API.
"""

from __future__ import annotations

import os
from typing import Any

import httpx2
from mcp.server.mcpserver import MCPServer

PORT = 8000
_LIMIT_SECONDS = 10.0
_LONGEST_PAGE = 250

server = MCPServer("n8n")


@server.tool()
async def list_workflows(active: bool | None = None) -> dict[str, Any]:
    """Every workflow of this n8n by id and name; with `active` only those that are on, or off."""
    query = {"limit": str(_LONGEST_PAGE)} | ({} if active is None else {"active": str(active).lower()})
    found = await _api_call("/workflows", query)
    return {"workflows": [{key: one[key] for key in ("id", "name", "active")} for one in found["data"]]}


@server.tool()
async def get_workflow(workflow: str) -> dict[str, Any]:
    """One workflow, whole, by its id."""
    return await _api_call(f"/workflows/{workflow}", {})


async def _api_call(path: str, query: dict[str, str]) -> dict[str, Any]:
    """One request to n8n; a failure becomes the tool's error."""
    headers = {"X-N8N-API-KEY": os.environ["N8N_API_KEY"], "Accept": "application/json"}
    async with httpx2.AsyncClient(base_url=os.environ["N8N_API_URL"], headers=headers, timeout=_LIMIT_SECONDS) as http:
        answer = await http.get(path, params=query)
        answer.raise_for_status()
        return answer.json()


if __name__ == "__main__":
    server.run("streamable-http", host="0.0.0.0", port=PORT)
