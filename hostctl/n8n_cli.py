"""n8n's own command line, run inside its container: the way without a key of the public API.

Owns: `export:workflow`, `import:credentials`, `import:workflow`, `publish:workflow` and `unpublish:workflow`, and one
restart of the container after a change, since a running n8n does not see what its command line changed. What is
imported lies in the container for as long as the import takes, readable by n8n's own user only.
Deliberately does not: restart when nothing changed, or delete: n8n's command line cannot, so a retired workflow stays
there, unpublished, with its credential.
"""

from __future__ import annotations

import http.client
import io
import json
import tarfile
import time
from typing import Any
from urllib.parse import quote, urlsplit

from hostctl.docker import Engine
from hostctl.documents import rows, table
from hostctl.errors import Refusal

COMMAND_SECONDS = 120.0
STOP_SECONDS = 30
POLL_SECONDS = 0.5
WORKFLOW, CREDENTIAL = "sentinelWatch001", "sentinelWatch002"
"""Ids in n8n's form; where a workflow of ours was made by the API, its own id stays."""
_FOLDER, _FILE = "/tmp", "sentinel-watch.json"


class CommandLine:
    """One n8n in one container. `seconds` is how long is waited for it after its restart."""

    name = "command line"

    def __init__(self, engine: Engine, container: str, url: str, seconds: float) -> None:
        self._engine, self._container, self._url, self._seconds = engine, container, url, seconds

    def workflows(self) -> list[dict[str, Any]]:
        path = f"{_FOLDER}/{_FILE}"
        code, _ = self._run(["n8n", "export:workflow", "--all", f"--output={path}"])
        # With no workflow at all there is nothing to export, and n8n says so by its exit code.
        if code:
            return []
        try:
            text = self._run(["cat", path])[1]
        finally:
            self._run(["rm", "-f", path])
        try:
            return [table(one) for one in rows(json.loads(text))]
        except ValueError:
            raise Refusal(
                f"n8n in {self._container} exported no JSON: set n8n_api_key, which is the better way"
            ) from None

    def make_credential(self, name: str, data: dict[str, str]) -> str:
        self._import("credentials", {"id": CREDENTIAL, "name": name, "type": "discordWebhookApi", "data": data})
        return CREDENTIAL

    def make(self, workflow: dict[str, Any]) -> str:
        self.change(WORKFLOW, workflow)
        return WORKFLOW

    def change(self, identity: str, workflow: dict[str, Any]) -> None:
        self._import("workflow", {"id": identity, "active": False, **workflow})

    def publish(self, identity: str) -> None:
        self._turn("publish", identity, active=True)
        self._restart()

    def retire(self, identity: str) -> str:
        self._turn("unpublish", identity, active=False)
        self._restart()
        return "unpublished: n8n's command line deletes nothing"

    def forget_credential(self, identity: str) -> None:
        """Nothing: the next import takes its place."""

    def _turn(self, word: str, identity: str, *, active: bool) -> None:
        code, said = self._run(["n8n", f"{word}:workflow", f"--id={identity}"])
        if code:
            # n8n 1 knows neither word.
            code, said = self._run(["n8n", "update:workflow", f"--id={identity}", f"--active={str(active).lower()}"])
        if code:
            raise Refusal(f"n8n in {self._container} could not {word} the watch ({_last(said)}): look at its log")

    def _import(self, kind: str, content: dict[str, Any]) -> None:
        path = f"{_FOLDER}/{_FILE}"
        self._put(json.dumps([content]).encode())
        try:
            code, said = self._run(["n8n", f"import:{kind}", f"--input={path}"])
        finally:
            self._run(["rm", "-f", path])
        if code:
            raise Refusal(f"n8n in {self._container} could not import the watch's {kind} ({_last(said)}): see its log")

    def _put(self, content: bytes) -> None:
        code, said = self._run(["id", "-u"])
        if code or not said.strip().isdigit():
            raise Refusal(f"the container {self._container} does not say who n8n runs as: set n8n_api_key instead")
        member = tarfile.TarInfo(_FILE)
        member.size, member.mode, member.uid = len(content), 0o400, int(said)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.addfile(member, io.BytesIO(content))
        self._engine.put(f"/containers/{quote(self._container)}/archive?path={_FOLDER}", archive.getvalue())

    def _run(self, words: list[str]) -> tuple[int, str]:
        return self._engine.inside(self._container, words, COMMAND_SECONDS)

    def _restart(self) -> None:
        """Returns when n8n answers again; raises Refusal when it does not within its time."""
        self._engine.post(f"/containers/{quote(self._container)}/restart?t={STOP_SECONDS}", seconds=STOP_SECONDS + 30)
        end = time.monotonic() + self._seconds
        while not self._answers():
            if time.monotonic() > end:
                raise Refusal(f"n8n in {self._container} does not answer {self._seconds:.0f} s after its restart")
            time.sleep(POLL_SECONDS)

    def _answers(self) -> bool:
        parts = urlsplit(self._url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
        try:
            connection.request("GET", f"{parts.path.rstrip('/')}/healthz/readiness")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _last(said: str) -> str:
    return "".join(said.strip().splitlines()[-1:]) or "no reason given"
