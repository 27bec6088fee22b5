"""The places of a secret's bytes: files, texts, and the arguments and environment of running processes.

A secret is searched for as it is, and in base64 at each of the three places that it can have there. Whoever holds it by
design is named by the caller; nothing is left out silently, and what was searched is counted.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

SHORTEST = 16
"""A secret that is shorter would be found by chance."""
_PAUSE_SECONDS = 0.05


def forms(secret: str) -> list[bytes]:
    """The forms in which a secret may be written."""
    raw = secret.encode()
    assert len(raw) >= SHORTEST, "too short to be searched for"
    shifted: list[bytes] = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        # The first and last groups of four also hold what stands around.
        shifted.append(encoded[4 if before else 0 : -4])
    return list(dict.fromkeys([raw, quote(secret, safe="").encode(), *shifted]))


@dataclass(frozen=True)
class Found:
    """A secret, by name, and where it stands."""

    secret: str
    place: str


@dataclass
class Search:
    """The secrets by name; what was found, and how many bytes of which places were searched."""

    secrets: Mapping[str, str]
    found: list[Found] = field(default_factory=list[Found])
    searched: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self._forms = [(name, form) for name, secret in self.secrets.items() for form in forms(secret)]

    def add(self, secrets: Mapping[str, str]) -> None:
        """Search for these too, from now on."""
        self._forms += [(name, form) for name, secret in secrets.items() for form in forms(secret)]

    def text(self, place: str, content: str | bytes) -> None:
        """Search one text under the name of its place."""
        self._search_in(place, place, content.encode() if isinstance(content, str) else content)

    def text_at(self, place: str, where: str, content: bytes) -> None:
        """The same, reported by a name of its own where something is found."""
        self._search_in(place, where, content)

    def files(self, place: str, folders: Iterable[Path], leave_out: Iterable[Path] = ()) -> None:
        """Search every file below the folders; what is left out belongs to another place of the list."""
        skipped = {path.resolve() for path in leave_out}
        for top in folders:
            for path in [top] if top.is_file() else _below(top, skipped):
                try:
                    content = path.read_bytes()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                self._search_in(place, str(path), content)

    def report(self) -> str:
        """The places with the bytes searched, one a line."""
        return "\n".join(f"{count:>14,} bytes  {place}" for place, count in sorted(self.searched.items()))

    def _search_in(self, place: str, where: str, content: bytes) -> None:
        self.searched[place] = self.searched.get(place, 0) + len(content)
        names = {name for name, form in self._forms if form in content}
        self.found += [Found(name, where) for name in sorted(names)]


class ProcessWatch:
    """Reads the command line and the environment of every process, over and over, while a block runs.

    `may_hold` is given a pid and its command line and says whether that process is meant to have secrets in its
    environment. Nobody is meant to have one in the command line.
    """

    def __init__(self, search: Search, may_hold: Callable[[int, str], str]) -> None:
        self._search, self._may_hold = search, may_hold
        self._known: dict[tuple[int, str], str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.rounds = 0
        self.holders: set[str] = set()

    def __enter__(self) -> ProcessWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                self._read(process)
            self.rounds += 1
            time.sleep(_PAUSE_SECONDS)

    def _read(self, process: Path) -> None:
        try:
            line, variables = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except (OSError, ValueError):
            return
        command = line.replace(b"\0", b" ").decode("utf-8", "replace").strip()
        own = Search(self._search.secrets)
        own.text("environment", variables)
        key = (int(process.name), command)
        if own.found and key not in self._known:
            self._known[key] = self._may_hold(*key)
        if holder := self._known.get(key, "") if own.found else "":
            self.holders.add(holder)
        else:
            self._search.found += [Found(one.secret, f"environment of {command[:80]}") for one in own.found]
        self._search.text_at("process list: command lines", f"command line of {Path(command.split(' ')[0]).name}", line)
        self._search.searched["process list: environments"] = self._search.searched.get(
            "process list: environments", 0
        ) + len(variables)


def _below(top: Path, skipped: set[Path]) -> Iterable[Path]:
    for path in sorted(top.iterdir()) if top.is_dir() else ():
        if path.is_symlink() or path.resolve() in skipped:
            continue
        if path.is_dir():
            yield from _below(path, skipped)
        elif path.is_file():
            yield path
