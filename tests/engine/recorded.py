"""Today's program previewed by the real engine against a state that was recorded before, without a Docker daemon.

Owns: a project, a backend and a plugin home of one test; the providers' doubles, which a preview asks for differences;
a daemon that knows no container, since the docker plugin asks whether a container that must run still does.
Deliberately does not: judge the planned steps.
"""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import yaml

from components.sentinel.bridge_image import BRIDGE_LAYERS
from console.paths import ROOT
from hostctl.build import archive
from hostctl.core.packing import packed
from hostctl.images.build import packed_files
from lab.recorded_states import Deployment, substituted
from lab.recorded_states.fixed import SOCKET, secret
from lab.recorded_states.scrub import TODAY, stdin_document
from tests.engine.registered_state import STACK

_LIMIT_SECONDS = 120
_LEFT_OUT = (".git", ".lab", ".state", ".work", "Pulumi.yaml")


class Project:
    """The repository's program, as a project of its own with its own backend and one stack."""

    def __init__(self, folder: Path, docker_socket: Path) -> None:
        self._socket = str(docker_socket)
        self.folder = folder / "project"
        self.folder.mkdir()
        for path in ROOT.iterdir():
            if path.name not in _LEFT_OUT and not path.name.startswith(f"Pulumi.{STACK}."):
                (self.folder / path.name).symlink_to(path)
        shutil.copy(ROOT / "Pulumi.yaml", self.folder)
        (folder / "backend").mkdir()
        home = folder / "pulumi-home"
        install = [sys.executable, "-m", "lab.doubles.plugins", "install", str(home)]
        subprocess.run(
            [*install, "--docker-host", f"unix://{docker_socket}"], check=True, cwd=ROOT, capture_output=True
        )
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "DOCKER_"))}
        paths = [str(ROOT / ".venv/bin"), str(ROOT / ".work/toolchain/bin"), os.environ.get("PATH", "")]
        self._environment = kept | {
            "PATH": os.pathsep.join(paths),
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
            "PULUMI_CONFIG_PASSPHRASE": "recorded states hold no secret",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
        }
        self.pulumi("stack", "init", STACK)

    def configure(self, configuration: Mapping[str, Any], secret_keys: list[str]) -> None:
        """The stack's file, with this socket for the recorded one and every secret of the recordings encrypted."""
        text = json.dumps(dict(configuration)).replace(SOCKET, self._socket)
        file = self.folder / f"Pulumi.{STACK}.yaml"
        salt = yaml.safe_load(file.read_text(encoding="utf-8"))["encryptionsalt"]
        file.write_text(yaml.safe_dump({"encryptionsalt": salt, "config": json.loads(text)}), encoding="utf-8")
        pairs = [word for key in secret_keys for word in ("--secret", f"{key}={secret(key)}")]
        if pairs:
            self.pulumi("config", "set-all", *pairs)

    def import_state(self, recorded: Deployment) -> None:
        """The recorded deployment as this stack's, with the program's own files as they are today."""
        own = json.loads(self.pulumi("stack", "export"))["deployment"].get("secrets_providers")
        deployment = with_todays_files(substituted(recorded, {SOCKET: self._socket}))
        deployment["deployment"]["secrets_providers"] = own
        file = self.folder.parent / "state.json"
        file.write_text(json.dumps(deployment), encoding="utf-8")
        self.pulumi("stack", "import", "--file", str(file))

    def preview(self) -> dict[str, str]:
        """The planned step of each resource, by its URN."""
        planned = json.loads(self.pulumi("preview", "--json", "--non-interactive"))
        steps: dict[str, str] = {}
        for step in planned["steps"]:
            # A replacement has several steps; its own comes first or says so in its name.
            if "replace" in step["op"] or step["urn"] not in steps:
                steps[step["urn"]] = step["op"]
        return steps

    def pulumi(self, *words: str) -> str:
        done = subprocess.run(
            ["pulumi", *words, "--stack", STACK] if words[:2] != ("stack", "init") else ["pulumi", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_SECONDS,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout


@contextmanager
def project() -> Generator[Project]:
    """In a folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="states-") as name, _daemon(Path(name) / "docker.sock") as address:
        yield Project(Path(name), address)


def with_todays_files(deployment: Deployment) -> Deployment:
    """`hostctl` and the image's layers as the program sends them today: another version of them is no other graph."""
    layers = {
        f"sentinel-cutover/{one.name}": packed_files(one.files) for layers in BRIDGE_LAYERS.values() for one in layers
    }
    for resource in deployment["deployment"]["resources"]:
        for side in ("inputs", "outputs"):
            values: dict[str, Any] = resource.get(side) or {}
            document = stdin_document(values)
            if values.get("stdin") == TODAY:
                values["stdin"] = packed(archive()).decode()
            elif document and document.get("files") == TODAY:
                values["stdin"] = json.dumps({**document, "files": layers[document["name"]]})
    return deployment


class _NoContainers(BaseHTTPRequestHandler):
    """Docker's API of a daemon that has nothing."""

    def do_GET(self) -> None:
        known = self.path.endswith("/version")
        body = json.dumps({"ApiVersion": "1.41"} if known else {"message": "No such container"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def _daemon(address: Path) -> Generator[Path]:
    with socketserver.ThreadingUnixStreamServer(str(address), _NoContainers) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield address
        server.shutdown()
