"""A tiny image made of this machine's own shell, for a daemon that has none and reaches no registry.

Owns: the archive that `docker import` takes.
Deliberately does not: need any package beyond what every Debian has.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

_PROGRAMS = ("sh", "sleep", "cat", "touch", "test", "ls", "id")
_PASSWD = b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"


def archive(mark: str) -> bytes:
    """`mark` is written into the image, so that two marks make two images."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as image:
        for folder in ("etc", "tmp", "run", "data", "scratch"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            image.addfile(entry)
        for name, content in (("etc/passwd", _PASSWD), ("etc/mark", mark.encode())):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            image.addfile(entry, io.BytesIO(content))
        libraries: set[str] = set()
        for name in _PROGRAMS:
            program = shutil.which(name)
            assert program is not None, f"this machine has no {name}"
            image.add(program, f"bin/{name}")
            libraries |= _libraries(program)
        for library in sorted(libraries):
            image.add(library, library.lstrip("/"))
    return packed.getvalue()


def _libraries(program: str) -> set[str]:
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return {path for path in re.findall(r"(/\S+)", listed) if Path(path).exists()}
