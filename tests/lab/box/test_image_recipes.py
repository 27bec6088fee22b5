"""The lab's images are what their recipes say: a tag for each recipe, the same bytes for the same recipe, nothing from
half a build.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from console.paths import ROOT
from console.progress import Progress, Step
from lab import images
from lab.images import IMAGES, Image, store
from lab.images.layers import File, Files, Layer, Sources, scratch

PACKAGE_LISTS = {"package.json", "package-lock.json", "requirements.in", "requirements.lock", "sentinel.lock"}


NONE: set[str] = set()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything that recipes read, in another place and of another time."""
    copy = tmp_path_factory.mktemp("elsewhere")
    for package in ("lab", "bridge", "console"):
        shutil.copytree(
            ROOT / package,
            copy / package,
            ignore=shutil.ignore_patterns("__pycache__", "node_modules"),
            copy_function=shutil.copyfile,
        )
    return copy


@pytest.fixture(scope="module")
def tags(sources: Path) -> Iterator[Callable[[], dict[str, str]]]:
    """The tags of that copy's recipes, read again each time."""
    program = """
import importlib, json, sys
from lab.images import layers, recipes
for line in sys.stdin:
    importlib.reload(layers)
    images = importlib.reload(recipes).IMAGES
    print(json.dumps({name: images[name].tag for name in images}), flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-B", "-c", program], cwd=sources, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        to_reader, from_reader = reader.stdin, reader.stdout
        assert to_reader is not None and from_reader is not None

        def read() -> dict[str, str]:
            to_reader.write("\n")
            to_reader.flush()
            return json.loads(from_reader.readline())

        yield read


def test_a_tag_is_the_same_in_another_clone(tags: Callable[[], dict[str, str]]) -> None:
    assert tags() == {name: image.tag for name, image in IMAGES.items()}


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("lab/images/recipes.py", '"redis-server")', '"redis-server", "zstd")', {"postgres", "redis"}),
        ("lab/images/recipes.py", '"nodejs", "python3"', '"nodejs"',
         {"contextforge", "backends", "n8n-mcp", "sentinel", "grafana"}),
        ("lab/images/recipes.py", '"/usr/lib/llvm-*"', '"/usr/lib/llvm*"', {"postgres", "redis"}),
        ("lab/images/recipes.py", '"Entrypoint": ["redis-server"]', '"Entrypoint": ["redis"]', {"redis"}),
        ("lab/images/recipes.py", '"User": "65534:65534",\n        "Entrypoint": ["prom', '"Entrypoint": ["prom',
         {"prometheus"}),
        ("lab/images/recipes.py", 'File("/data", mode=0o755', 'File("/data", mode=0o750', {"backends"}),
        ("lab/images/postgres/entrypoint.sh", "set -eu", "set -e", {"postgres"}),
        ("lab/images/contextforge/requirements.lock", "sha256:", "sha256:0", {"contextforge"}),
        ("lab/images/backends/requirements.lock", "sha256:", "sha256:0", {"backends"}),
        ("lab/images/n8n/requirements.lock", "sha256:", "sha256:0", {"n8n-mcp"}),
        ("lab/doubles/backends/n8n.py", "import", "import ", {"n8n-mcp"}),
        ("lab/images/sentinel.lock", "sha256:", "sha256:0", {"sentinel"}),
        ("lab/images/grafana.lock", "sha256:", "sha256:0", {"grafana"}),
        ("lab/doubles/grafana/server.py", "import", "import ", {"grafana"}),
        ("bridge/servers/package-lock.json", "sha512-", "sha512-0", {"backends", "sentinel"}),
        ("bridge/gateway.py", "import", "import ", NONE),
        ("lab/doubles/sentinel/gateway.py", "import", "import ", {"sentinel"}),
        ("lab/doubles/sentinel/requirements.in", "", "# ", NONE),
        ("lab/images/store.py", "", "# new\n", NONE),
        ("lab/README.md", "", "x", NONE),
        ("bridge/README.md", None, "new", NONE),
        ("bridge/Dockerfile", "", "# new\n", NONE),
        ("bridge/new.py", None, "", NONE),
    ],
)  # fmt: skip
def test_a_changed_input_is_another_image_and_no_other_change_is(
    sources: Path,
    tags: Callable[[], dict[str, str]],
    file: str,
    old: str | None,
    new: str,
    changed: set[str],
) -> None:
    path = sources / file
    before = None if old is None else path.read_text()
    assert before is None or (old or "") in before
    path.write_text(new if before is None else before.replace(old or "", new, 1))
    try:
        now = tags()
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
    assert {name for name, image in IMAGES.items() if image.tag != now[name]} == changed


def test_a_tag_names_image_version_and_recipe() -> None:
    for name, image in IMAGES.items():
        assert re.fullmatch(rf"lab/{name}:{re.escape(image.version)}-[0-9a-f]{{8}}", image.tag)
    assert len({image.tag for image in IMAGES.values()}) == len(IMAGES)


def test_no_list_of_packages_names_where_they_come_from() -> None:
    """An address stands only in what packages say of funds and licence; a lock made elsewhere works everywhere."""
    lists = [
        path
        for folder in ("lab", "bridge")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.name in PACKAGE_LISTS and "node_modules" not in path.parts
    ]
    assert {path.name for path in lists} == PACKAGE_LISTS
    for path in lists:
        text = path.read_text()
        if path.suffix == ".json":
            # A package that the list itself brings is a link within the tree.
            assert not re.search(r'"resolved": "(?!node_modules/)', text)
            text = json.dumps(without_addresses_of_their_own(json.loads(text)))
        assert "://" not in text, path
        assert not re.search(r"^\s*(-i|-f|--(extra-)?index-url|--find-links|--registry)\b", text, re.M), path


def without_addresses_of_their_own(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        kept = {key: one for key, one in members.items() if key not in ("funding", "license")}
        return {key: without_addresses_of_their_own(one) for key, one in kept.items()}
    if isinstance(value, list):
        return [without_addresses_of_their_own(one) for one in cast("list[Any]", value)]
    return value


def own_files() -> list[Files]:
    return [layer for image in IMAGES.values() for layer in image.layers if isinstance(layer, Files)]


@pytest.fixture
def step(progress: Progress) -> Iterator[Step]:
    with progress.step("images") as step:
        yield step


def digest_of(layer: Layer, cache: Path, step: Step) -> str:
    store.make(layer, step, cache)
    return hashlib.sha256(layer.tar(cache).read_bytes()).hexdigest()


@pytest.mark.parametrize("layer", own_files(), ids=lambda layer: layer.files[0].path)
def test_our_files_made_twice_are_the_same_bytes(layer: Files, tmp_path: Path, step: Step) -> None:
    assert digest_of(layer, tmp_path / "one", step) == digest_of(layer, tmp_path / "two", step)


@pytest.mark.lab
def test_our_sources_made_twice_are_the_same_bytes(
    sources: Path, tmp_path: Path, step: Step, progress: Progress
) -> None:
    """From another place and of another time, compiled by the image's own Python. As root: it runs in a chroot."""
    layer = next(layer for layer in IMAGES["sentinel"].layers if isinstance(layer, Sources))
    elsewhere = Sources(layer.base, layer.folder, {name: sources / name for name in layer.packages})
    images.build(progress, ("sentinel",))
    digests: list[str] = []
    for name, one in {"one": layer, "two": elsewhere}.items():
        (tmp_path / name).mkdir()
        layer.base.tar(tmp_path / name).symlink_to(layer.base.tar(store.CACHE))
        digests.append(digest_of(one, tmp_path / name, step))
    assert layer.key == elsewhere.key
    assert digests[0] == digests[1]


@dataclass(frozen=True)
class Interrupted(Layer):
    """Writes half of its content, reports it, and then waits for ever; with the gate open it writes the other half."""

    gate: Path
    report: int

    @property
    def title(self) -> str:
        return "interrupted"

    def inputs(self) -> Mapping[str, object]:
        return {"gate": self.gate.name}

    def make(self, destination: Path, cache: Path, step: Step) -> None:
        with scratch(cache) as folder, destination.open("wb") as file:
            (folder / "half").write_text("half")
            file.write(b"half")
            file.flush()
            if not self.gate.exists():
                os.write(self.report, b".")
                signal.pause()
            file.write(b" and half")


def test_a_killed_build_leaves_nothing_that_counts_and_the_next_one_clears_it_away(
    tmp_path: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, gate = tmp_path / "cache", tmp_path / "gate"
    reading, writing = os.pipe()
    layer = Interrupted(gate, writing)
    monkeypatch.setitem(IMAGES, "interrupted", Image("interrupted", "1", (layer,), {}))

    child = multiprocessing.get_context("fork").Process(target=build_in_main_thread, args=(layer, cache, progress))
    child.start()
    assert os.read(reading, 1) == b"."
    store.tidy(cache)
    assert len(list(cache.iterdir())) == 2, "a running build keeps what it is making"
    child.kill()
    child.join()
    left = {re.sub(r"-[0-9a-f]+$", "", path.name) for path in cache.iterdir()}
    assert left == {f"scratch-{child.pid}", f"new-{child.pid}-{layer.key}.tar"}
    assert store.missing(("interrupted",), cache) == [layer]

    gate.touch()
    images.build(progress, ("interrupted",), cache)
    assert store.missing(("interrupted",), cache) == []
    assert layer.tar(cache).read_text() == "half and half"
    assert {path.name for path in cache.iterdir()} == {f"layer-{layer.key}.tar", f"layer-{layer.key}.sha256"}
    os.close(reading)
    os.close(writing)


def build_in_main_thread(layer: Layer, cache: Path, progress: Progress) -> None:
    """A build's own threads and a fork do not mix; `make` is what each of them runs."""
    store.make(layer, Step("interrupted", cache.parent / "log", progress), cache)


def test_a_layer_that_is_made_again_has_the_digest_of_its_new_bytes(tmp_path: Path, step: Step) -> None:
    layer = Files((File("/a", "b"),))
    first = digest_of(layer, tmp_path, step)
    layer.tar(tmp_path).unlink()
    layer.tar(tmp_path).with_suffix(".sha256").write_text("of other bytes")
    assert digest_of(layer, tmp_path, step) == first
    assert store.archive.identity(layer, tmp_path) == first
