"""The published servers in Sentinel's image: the pinned list, and the calls of the stack files."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import Tool

from components.base.image import Layer
from components.sentinel.bridge_image import BRIDGE_LAYERS
from console.paths import ROOT
from console.progress import Progress
from lab import images
from lab.box import Box
from lab.images.recipes import PROGRAMS, SENTINEL_USER, SERVERS
from tests.unit.lab.stack_backends import LAB, OPERATOR

PROGRAMS_LAYER, BRIDGE_LAYER = BRIDGE_LAYERS["all"]
HARDENED = (
    "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true", "--tmpfs=/tmp:mode=1777",
    "--user=10001:10001", "--network=none", "--init", "--memory=1024m", "--memory-swap=1024m",
)  # fmt: skip
"""As components/base/container.py hardens Sentinel."""
STDIO = [name for name, backend in LAB.items() if backend["kind"] == "stdio"]


def instructions(layer: Layer) -> list[str]:
    """The instructions of a layer's Dockerfile, each on one line."""
    text = re.sub(r"^#.*\n", "", layer.files["Dockerfile"], flags=re.M)
    return [" ".join(line.split()) for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip()]


def pinned() -> dict[str, str]:
    return json.loads((SERVERS.source / "package.json").read_text())["dependencies"]


def test_the_operators_image_and_the_labs_are_made_from_one_list() -> None:
    assert SERVERS.source == ROOT / "bridge" / "servers"
    lines = instructions(PROGRAMS_LAYER)
    npm = [line for line in lines if re.search(r"\bnp[mx]\b", line)]
    assert npm == ["RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund"]
    assert lines[lines.index(npm[0]) - 1] == "COPY package.json package-lock.json ./"
    for name in ("package.json", "package-lock.json"):
        assert PROGRAMS_LAYER.files[name] == (SERVERS.source / name).read_text()
    assert not [package for package in pinned() if package in PROGRAMS_LAYER.files["Dockerfile"]]


def test_every_server_is_pinned_and_so_is_everything_that_it_needs() -> None:
    lock = json.loads((SERVERS.source / "package-lock.json").read_text())["packages"]
    assert lock[""]["dependencies"] == pinned()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pinned().values())
    assert all("integrity" in package for name, package in lock.items() if name)
    assert not [name for name, package in lock.items() if package.get("hasInstallScript") and name in pinned()]


def test_the_operators_image_has_the_debian_packages_that_the_labs_has_and_the_bridges_own_lock() -> None:
    lines = instructions(PROGRAMS_LAYER)
    installed = [line for line in lines if "apt-get install" in line][-1]
    packages = set(re.search(r"--no-install-recommends ([a-z0-9 +-]+?)(?: &&|$)", installed)[1].split())  # type: ignore[index]
    # Node is taken from an image of its own, with the library that it is linked to.
    assert packages - {"libstdc++6"} == set(PROGRAMS.packages) - {"nodejs"}
    assert [line for line in lines if "pip install" in line and "--require-hashes" in line]
    assert "COPY requirements.lock /opt/sentinel/" in lines


def test_the_bridges_locks_are_in_the_labs_image_at_the_same_versions() -> None:
    """The lab lays the bridge alone over its image, so what the bridge imports must be in it as it is elsewhere."""

    def versions(text: str) -> set[str]:
        return set(re.findall(r"^[\w-]+==\S+", text, flags=re.M))

    locked = versions(PROGRAMS_LAYER.files["requirements.lock"])
    assert locked and locked <= versions((ROOT / "lab" / "images" / "sentinel.lock").read_text())


@pytest.mark.parametrize("layer", [PROGRAMS_LAYER, BRIDGE_LAYER], ids=lambda layer: layer.name)
def test_a_layer_fetches_nothing_unpinned_and_holds_what_its_dockerfile_copies(layer: Layer) -> None:
    lines = instructions(layer)
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert bases[-1] == "${BASE}" and all(base == "${BASE}" or "$" in base or ":" in base for base in bases)
    assert not re.search(r"https?://|\bnpx\b|\buvx\b|@latest\b|:latest\b", "\n".join(lines))
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert copied
    for source in (source for sources in copied for source in sources):
        assert any(path == source or path.startswith(f"{source}/") for path in layer.files), source
    assert f"USER 0:{SENTINEL_USER}" in instructions(BRIDGE_LAYER)


def test_a_backend_is_the_same_program_for_the_operator_and_in_the_lab() -> None:
    keys = ("kind", "command", "args", "tool", "arguments")
    assert list(LAB) == list(OPERATOR)
    for name, backend in OPERATOR.items():
        assert {key: backend.get(key) for key in keys} == {key: LAB[name].get(key) for key in keys}


@pytest.fixture(scope="module")
def image(box: Box, progress: Progress) -> str:
    images.build(progress, ("sentinel",))
    return images.load(box.docker_host, ("sentinel",))["sentinel"]


def command(box: Box, image: str, backend: Mapping[str, Any]) -> list[str]:
    """The server in a container of its own, without egress, hardened as Sentinel is."""
    key = [f"--env={name}=fc-of-nobody" for name in backend.get("environment_secrets", {})]
    return [
        "docker", f"--host={box.docker_host}", "run", "--rm", "-i", *HARDENED, *key, "--env=HOME=/tmp",
        f"--entrypoint={backend['command']}", image, *backend.get("args", []),
    ]  # fmt: skip


async def tools_of(argv: list[str]) -> dict[str, Tool]:
    async with Client(stdio_client(StdioServerParameters(command=argv[0], args=argv[1:]))) as client:
        return {tool.name: tool for tool in (await client.list_tools()).tools}


@pytest.mark.lab
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STDIO)
def test_the_published_server_offers_the_tool_and_takes_the_arguments(box: Box, image: str, name: str) -> None:
    tools = asyncio.run(tools_of(command(box, image, LAB[name])))
    assert LAB[name]["tool"] in tools
    jsonschema.validate(LAB[name].get("arguments", {}), tools[LAB[name]["tool"]].input_schema)


async def page_of(argv: list[str], backend: Mapping[str, Any]) -> str:
    async with Client(stdio_client(StdioServerParameters(command=argv[0], args=argv[1:]))) as client:
        answer = await client.call_tool(backend["tool"], backend["arguments"])
        return "\n".join(part.text for part in answer.content if part.type == "text")


@pytest.mark.lab
def test_the_browser_drives_a_page_with_a_read_only_root_and_without_any_capability(box: Box, image: str) -> None:
    argv = command(box, image, LAB["playwright"])
    assert LAB["playwright"]["expect"]["contains"][0] in asyncio.run(page_of(argv, LAB["playwright"]))
