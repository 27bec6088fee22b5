"""The two Dockerfiles of the bridge, which no registry can be reached for here, beside the lab's recipe of the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from components.base.image import Layer
from components.sentinel.bridge_image import BRIDGE_LAYERS
from console.paths import ROOT
from lab.images import recipes
from lab.images.layers import Debian, Node, Python

LAYERS = {layer.name: layer for layer in BRIDGE_LAYERS["all"]}
PROGRAMS = LAYERS["programs"].files["Dockerfile"]


def instructions(layer: Layer, word: str) -> Iterator[list[str]]:
    """The words of each instruction, its continued lines joined."""
    for line in re.sub(r"\\\n\s*", "", layer.files["Dockerfile"]).splitlines():
        if line.startswith(f"{word} "):
            yield line.split()[1:]


def pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[\w+\])?==(\S+)", text, re.MULTILINE | re.IGNORECASE))


@pytest.mark.parametrize("name", LAYERS)
def test_what_a_dockerfile_copies_travels_with_it_or_is_made_in_it(name: str) -> None:
    layer = LAYERS[name]
    stages = {words[-1] for words in instructions(layer, "FROM") if "AS" in words}
    copied = list(instructions(layer, "COPY"))
    assert copied
    for words in copied:
        if words[0].startswith("--from="):
            assert words[0].removeprefix("--from=") in stages
            continue
        for source in words[:-1]:
            assert any(file == source or file.startswith(f"{source}/") for file in layer.files), source


def test_the_operators_image_gets_the_packages_and_folders_that_the_labs_has() -> None:
    debian, node, python = recipes.SENTINEL.layers[:3]
    assert isinstance(debian, Debian) and isinstance(node, Node) and isinstance(python, Python)
    *_, last = re.split(r"^FROM ", PROGRAMS, flags=re.MULTILINE)
    (installed,) = re.findall(r"--no-install-recommends \\\n((?:.*\\\n|.*$)*?)\s*&&", last)
    # Node comes as a program from its own image, and needs its C++ library.
    wanted = {*debian.packages, "libstdc++6"} - {"nodejs"}
    assert set(installed.replace("\\", "").split()) == wanted
    assert f"COPY --from=servers {node.folder} {node.folder}\n" in PROGRAMS
    assert f"COPY --from=packages {python.folder} {python.folder}\n" in PROGRAMS
    assert f"{node.folder}/node_modules/.bin:" in PROGRAMS


def test_the_servers_and_packages_are_the_same_pinned_ones() -> None:
    for name in ("package.json", "package-lock.json"):
        assert LAYERS["programs"].files[name] == (recipes.SERVERS.source / name).read_text(encoding="utf-8")
    bridges = pins(LAYERS["programs"].files["requirements.lock"])
    labs = pins((ROOT / "lab" / "images" / "sentinel.lock").read_text(encoding="utf-8"))
    assert bridges and bridges.items() <= labs.items()
