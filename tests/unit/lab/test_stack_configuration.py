"""The lab's stack file follows the lab, and keeps what somebody set in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from lab import engine, stack_configuration
from lab.box import Box, Place, Ssh
from settings import load
from toolchain import find
from toolchain.parts import BIN, ENGINE_VERSION

BOX = Box(
    id="abc123",
    vps="sentinel-vps-abc123",
    wan="sentinel-wan-abc123",
    docker_socket="/run/sentinel-lab-abc123/docker.sock",
    ssh=Ssh(address="203.0.113.10", port=22, user="root", key="/k", host_key="ssh-ed25519 AAAA"),
    home="/repository/.lab/vps/home/operator",
    folder="/repository/.lab/vps/var/lib/sentinel-cutover",
    images={
        "postgres": "lab/postgres:17-00000001",
        "sentinel": "lab/sentinel:0.1.0-00000001",
        "prometheus": "lab/prometheus:2.53-00000001",
        "grafana": "lab/grafana:12.4-double-00000001",
    },
)


def written(folder: Path, box: Box = BOX) -> dict[str, object]:
    file = folder / "Pulumi.lab.yaml"
    stack_configuration.write(file, folder / "rendered.yaml", box)
    return yaml.safe_load(file.read_text())


HARDENED = BOX.model_copy(
    update={
        "hardened": True,
        "ssh": Ssh(address="203.0.113.10", port=22, user="operator", key="/k", host_key="ssh-ed25519 AAAA"),
        "home": "/run/sentinel-lab-abc123/home/operator",
        "folder": "/run/sentinel-lab-abc123/home/operator/sentinel-cutover",
    }
)


@pytest.mark.parametrize(("box", "kind", "escalation"), [(BOX, "local", "root"), (HARDENED, "ssh", "container")])
def test_the_template_makes_settings_that_are_accepted(tmp_path: Path, box: Box, kind: str, escalation: str) -> None:
    config = written(tmp_path, box)["config"]
    assert isinstance(config, dict)
    made = ("jwt_secret", "postgres_password", "grafana_admin_password", "grafana_secret_key")
    secrets = {key: f"a{number}" * 24 for number, key in enumerate(made)}
    secrets["firecrawl_api_key"] = "fc-" + "c3" * 16
    secrets["discord_webhook"] = "https://discord.com/api/webhooks/123456789012345678/" + "w" * 68
    settings = load({**config, **secrets}, set(secrets), stack="lab")
    assert settings.sentinel.image == "lab/sentinel:0.1.0-00000001"
    assert (settings.host.docker_socket, settings.host.kind) == (box.docker_socket, kind)
    assert (settings.firewall.escalation, settings.sentinel.layers) == (escalation, "bridge")
    assert settings.firewall.script.startswith(f"{box.home}/") and len(settings.backends) == 7


def test_a_new_image_reaches_the_stack(tmp_path: Path) -> None:
    written(tmp_path)
    newer = BOX.with_images({**BOX.images, "sentinel": "lab/sentinel:0.1.0-00000002"})
    config = written(tmp_path, newer)["config"]
    assert config["sentinel-cutover:sentinel"]["image"] == "lab/sentinel:0.1.0-00000002"  # type: ignore[index]


def test_what_the_operator_and_the_engine_set_stays(tmp_path: Path) -> None:
    stack = written(tmp_path)
    stack["encryptionsalt"] = "v1:salt"
    config = stack["config"]
    assert isinstance(config, dict)
    config["sentinel-cutover:active"] = "contextforge"
    config["sentinel-cutover:jwt_secret"] = {"secure": "v1:cipher"}
    config["sentinel-cutover:postgres"]["memory_mb"] = 512
    (tmp_path / "Pulumi.lab.yaml").write_text(yaml.safe_dump(stack))
    again = written(tmp_path)
    assert again == stack


def test_a_second_write_leaves_the_file_untouched(tmp_path: Path) -> None:
    written(tmp_path)
    file = tmp_path / "Pulumi.lab.yaml"
    before = file.stat().st_mtime_ns
    written(tmp_path)
    assert file.stat().st_mtime_ns == before


def installed(folder: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine of that version in a folder of its own, and nowhere else but in our own toolchain."""
    folder.mkdir()
    engine = folder / "pulumi"
    engine.write_text(f"#!/bin/sh\necho v{version}\n")
    engine.chmod(0o755)
    monkeypatch.setattr(find, "VERSIONS", folder / "versions.json")
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_an_installed_engine_of_another_version_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path / "old", "3.100.0", monkeypatch)
    assert engine.find(Place(tmp_path)) in {None, BIN / "pulumi"}


def test_the_shim_says_what_to_do_when_the_lab_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path)
    real = installed(tmp_path / "elsewhere", ENGINE_VERSION, monkeypatch)
    monkeypatch.setenv("PATH", f"{place.bin}:{real}:/usr/bin:/bin")
    place.folder.mkdir()
    engine.prepare(place, BOX)
    assert engine.find(place) == real / "pulumi"
    said = subprocess.run([str(place.bin / "pulumi"), "version"], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (1, "The lab is not running; start it with make up.\n")
