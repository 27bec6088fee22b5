"""The operator's plain image, and the bridge that is laid over it on the host."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.lab.cutover.conftest import CONFIGURATION, Lab
from tests.soak import only_soak

pytestmark = [pytest.mark.lab, pytest.mark.engine]


def test_the_operators_plain_image_serves_with_the_bridge_over_it_and_a_preview_changes_nothing(
    lab: Lab,
) -> None:
    lab.up()
    plain = yaml.safe_load(lab.configuration())["config"]["sentinel-cutover:sentinel"]["image"]
    base = json.loads(lab.docker("image", "inspect", plain))[0]
    served = json.loads(lab.docker("image", "inspect", lab.inspect(lab.outputs()["sentinel"])["Image"]))[0]
    assert base["Config"]["Entrypoint"][0] == "sentinel-gateway"
    assert served["Config"]["Entrypoint"] == ["sentinel-bridge"]
    assert [tag.partition(":")[0] for tag in served["RepoTags"]] == ["sentinel-cutover/bridge"]
    layers = base["RootFS"]["Layers"]
    assert served["RootFS"]["Layers"][: len(layers)] == layers
    search = ["run", "--rm", "--network=none", "--entrypoint=sh", plain, "-c", "command -v sentinel-bridge"]
    found = subprocess.run(["docker", f"--host={lab.box.docker_host}", *search], capture_output=True, timeout=60)
    assert (found.returncode != 0, found.stdout) == (True, b"")
    assert set(lab.planned()) == {"same"}


@only_soak("a minute; tests/docker/test_image_build.py builds from such a folder")
def test_a_folder_with_a_dockerfile_on_the_host_becomes_the_image_that_serves(lab: Lab) -> None:
    """Docker knows the folder by its path on the host, which the box shares; a new version is a new tag."""
    lab.up()
    before, was = lab.configuration(), lab.inspect(lab.outputs()["sentinel"])["Image"]
    plain = yaml.safe_load(before)["config"]["sentinel-cutover:sentinel"]["image"]
    sources = Path(lab.box.home) / "sentinel-gateway"
    sources.mkdir()
    (sources / "Dockerfile").write_text(f"FROM {plain}\nLABEL sources=the-operators\nCOPY notes /notes\n")
    (sources / "notes").write_text("built on the host\n")
    try:
        lab.set("sentinel.context", str(sources))
        lab.set("sentinel.image", "operator/sentinel-gateway:0.2.0")
        lab.up()
        served = json.loads(lab.docker("image", "inspect", lab.inspect(lab.outputs()["sentinel"])["Image"]))[0]
        assert (served["Config"]["Labels"]["sources"], served["Config"]["Entrypoint"]) == (
            "the-operators",
            ["sentinel-bridge"],
        )
        assert lab.verified()["ok"]
        assert set(lab.planned()) == {"same"}
    finally:
        CONFIGURATION.write_text(before)
        shutil.rmtree(sources)
        lab.up()
    assert lab.inspect(lab.outputs()["sentinel"])["Image"] == was
