"""The layers of images, each a tar in the cache, named by the hash of everything that it is made from.

A layer is only a tar, so images need no daemon and no network of their own to be built. Layers that several images
share are made, stored and loaded once.

Owns: making layers, deterministically (sorted names, fixed times, root as owner unless said otherwise).
Deliberately does not: know any image (recipes.py), nor write an image (archive.py).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from console.errors import UserError
from console.progress import Step

EPOCH = 1767225600
"""Every file's time, 2026-01-01, so that the same recipe gives the same bytes."""
SUITE = "trixie"
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


class Layer(ABC):
    """One layer. `inputs` names everything that its content depends on."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Its name, for the operator who waits for it."""

    @abstractmethod
    def inputs(self) -> Mapping[str, object]:
        """Everything that the content depends on, in a form that JSON can hold."""

    @abstractmethod
    def make(self, destination: Path, cache: Path, step: Step) -> None:
        """Writes the tar; `cache` holds the layers below, which are made already."""

    def below(self) -> tuple[Layer, ...]:
        """Layers that must be made before this one can be."""
        return ()

    @property
    def key(self) -> str:
        """Hash of the inputs, and of the kind of layer."""
        text = json.dumps([type(self).__name__, self.inputs()], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def tar(self, cache: Path) -> Path:
        """The layer's file in the cache."""
        return cache / f"layer-{self.key}.tar"


@dataclass(frozen=True)
class Debian(Layer):
    """A root file system of Debian's packages; `leave_out` are dpkg patterns of files that nobody needs here."""

    packages: tuple[str, ...]
    leave_out: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"Debian with {self.packages[-1]}"

    def inputs(self) -> Mapping[str, object]:
        return {"suite": SUITE, "packages": self.packages, "leave_out": (*_LEFT_OUT, *self.leave_out)}

    def make(self, destination: Path, cache: Path, step: Step) -> None:
        step.call(
            [
                "mmdebstrap",
                "--quiet",
                "--format=tar",
                "--variant=minbase",
                f"--include={','.join(self.packages)}",
                *(f"--dpkgopt=path-exclude={pattern}" for pattern in (*_LEFT_OUT, *self.leave_out)),
                SUITE,
                destination,
            ],
            environment={"SOURCE_DATE_EPOCH": str(EPOCH)},
        )


@dataclass(frozen=True)
class Python(Layer):
    """Python packages from a lock with hashes, below `folder`, compiled by the Python of the layer below."""

    base: Debian
    folder: str
    lock: Path

    @property
    def title(self) -> str:
        return f"Python packages in {self.folder}"

    def inputs(self) -> Mapping[str, object]:
        return {"base": self.base.key, "folder": self.folder, "lock": _content(self.lock)}

    def below(self) -> tuple[Layer, ...]:
        return (self.base,)

    def make(self, destination: Path, cache: Path, step: Step) -> None:
        with _unpacked(self.base.tar(cache), cache) as root:
            target = root / self.folder.strip("/")
            step.call(
                ["uv", "pip", "install", "--quiet", "--python-version", "3.13", "--only-binary", ":all:", "--no-deps",
                 "--python-platform", "x86_64-unknown-linux-gnu", "--link-mode", "copy",
                 "--require-hashes", "-r", self.lock, "--target", target]
            )  # fmt: skip
            _compile(root, self.folder, step)
            write_tar(destination, _walk(root, target))


@dataclass(frozen=True)
class Node(Layer):
    """npm packages from a lock, below `folder`; every program of theirs is linked into /usr/local/bin."""

    folder: str
    source: Path

    @property
    def title(self) -> str:
        return f"npm packages in {self.folder}"

    def inputs(self) -> Mapping[str, object]:
        files = {name: _content(self.source / name) for name in ("package.json", "package-lock.json")}
        return {"folder": self.folder, **files}

    def make(self, destination: Path, cache: Path, step: Step) -> None:
        with scratch(cache) as root:
            target = root / self.folder.strip("/")
            target.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(self.source / name, target)
            step.call(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"], folder=target)
            programs = root / "usr" / "local" / "bin"
            programs.mkdir(parents=True)
            dependencies = json.loads((target / "package.json").read_text(encoding="utf-8"))["dependencies"]
            for package in dependencies:
                declared = json.loads((target / "node_modules" / package / "package.json").read_text(encoding="utf-8"))
                for program in declared["bin"] if isinstance(declared["bin"], dict) else [package.rpartition("/")[2]]:
                    (programs / program).symlink_to(f"{self.folder}/node_modules/.bin/{program}")
            write_tar(destination, _walk(root, root))


@dataclass(frozen=True)
class Sources(Layer):
    """Python packages of this repository, as they are, below `folder`, compiled like installed ones."""

    base: Debian
    folder: str
    packages: Mapping[str, Path] = field(hash=False)

    @property
    def title(self) -> str:
        return f"our sources in {self.folder}"

    def inputs(self) -> Mapping[str, object]:
        files = {
            f"{package}/{path.relative_to(source)}": _content(path)
            for package, source in sorted(self.packages.items())
            for path in sorted(source.rglob("*.py"))
        }
        return {"base": self.base.key, "folder": self.folder, "files": files}

    def below(self) -> tuple[Layer, ...]:
        return (self.base,)

    def make(self, destination: Path, cache: Path, step: Step) -> None:
        with _unpacked(self.base.tar(cache), cache) as root:
            target = root / self.folder.strip("/")
            for package, source in self.packages.items():
                for path in sorted(source.rglob("*.py")):
                    copy = target / package / path.relative_to(source)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, copy)
            _compile(root, self.folder, step)
            write_tar(destination, _walk(root, target))


@dataclass(frozen=True)
class File:
    """One file (or, without content, one folder) of our own."""

    path: str
    content: str | None = None
    mode: int = 0o644
    owner: int = 0


@dataclass(frozen=True)
class Files(Layer):
    """A handful of files of our own."""

    files: tuple[File, ...]

    @property
    def title(self) -> str:
        return f"files such as {self.files[0].path}"

    def inputs(self) -> Mapping[str, object]:
        return {"files": [vars(file) for file in self.files]}

    def make(self, destination: Path, cache: Path, step: Step) -> None:
        write_tar(destination, (_member(file) for file in self.files))


def write_tar(destination: Path, members: Iterator[tuple[tarfile.TarInfo, bytes | Path | None]]) -> None:
    """A tar that depends on nothing but its members."""
    with tarfile.open(destination, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            info.mtime, info.uname, info.gname = EPOCH, "", ""
            if isinstance(content, Path):
                with content.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info, None if content is None else io.BytesIO(content))


@contextmanager
def scratch(cache: Path) -> Generator[Path]:
    """A folder beside the cache's own files, gone afterwards; one left by a killed run is named by its pid."""
    folder = cache / f"scratch-{os.getpid()}-{os.urandom(4).hex()}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _unpacked(base: Path, cache: Path) -> Generator[Path]:
    """The base's root file system, to run its own Python in."""
    with scratch(cache) as root:
        unpack(base, root)
        yield root


def unpack(archive: Path, folder: Path) -> None:
    """A root file system into the folder, without its device nodes."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="fully_trusted", members=(member for member in tar if not member.isdev()))


def _compile(root: Path, folder: str, step: Step) -> None:
    """Compiles beforehand: on a read-only root every start would compile anew. By content, not by time."""
    step.call(
        ["chroot", root, "python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", folder],
        # Some packages ship files that are no Python of this version; those stay uncompiled.
        check=False,
    )
    if not any((root / folder.strip("/")).rglob("*.pyc")):
        raise UserError(f"The lab's image layer {folder} could not be compiled, see {step.log}.")


def _walk(root: Path, start: Path) -> Iterator[tuple[tarfile.TarInfo, bytes | Path | None]]:
    for path in sorted([start, *start.rglob("*")]):
        if path == root:
            continue
        info = tarfile.TarInfo(str(path.relative_to(root)))
        status = path.lstat()
        info.mode = status.st_mode & 0o777
        if path.is_symlink():
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
            yield info, None
        elif path.is_dir():
            info.type = tarfile.DIRTYPE
            yield info, None
        else:
            info.size = status.st_size
            yield info, path


def _member(file: File) -> tuple[tarfile.TarInfo, bytes | None]:
    info = tarfile.TarInfo(file.path.strip("/"))
    info.mode, info.uid, info.gid = file.mode, file.owner, file.owner
    if file.content is None:
        info.type = tarfile.DIRTYPE
        return info, None
    content = file.content.encode()
    info.size = len(content)
    return info, content


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
