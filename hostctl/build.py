"""The archive `hostctl.pyz`, its content hash, and its packing for transit: the same sources give the same bytes."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
# The oldest time that a zip can hold; any fixed time will do.
MEMBER_TIME = (1980, 1, 1, 0, 0, 0)
LEFT_OUT = {SOURCE / "build.py", SOURCE / "build_id.py"}
UNPACKING = (
    "import base64,importlib.util,sys;"
    "importlib.util.find_spec('_bz2') or sys.exit('hostctl cannot be unpacked: python3 on the host has no module bz2; "
    "install its whole standard library (on Debian: libpython3-stdlib), then run again.');"
    "import bz2;"
    "unpacked=lambda text:bz2.decompress(base64.b64decode(text))"
)
"""One line of Python for the host: `unpacked(text)` is the archive again, or the run ends with one sentence."""

RUNNING = (
    f"{UNPACKING}\nimport subprocess,tempfile\n"
    "program,document=sys.stdin.buffer.read().split(b'\\n',1)\n"
    "with tempfile.NamedTemporaryFile(suffix='.pyz') as file:\n"
    " file.write(unpacked(program)); file.flush()\n"
    " sys.exit(subprocess.run([sys.executable,'-I','-S',file.name,*sys.argv[1:]],input=document).returncode)\n"
)
"""A program for the host that runs the archive, packed on the first line of stdin, with the rest as its request."""

WORKING = (
    f"{UNPACKING}\nimport os\n"
    "file=os.memfd_create('hostctl')\n"
    "with open(file,'wb',closefd=False) as program:\n"
    " program.write(unpacked(sys.stdin.buffer.readline()))\n"
    "sys.argv=[f'/proc/{os.getpid()}/fd/{file}']\n"
    "sys.path.insert(0,sys.argv[0])\n"
    "from hostctl.worker import serve\n"
    "serve()\n"
)
"""A program for the host that runs the archive, packed on the first line of stdin, as a worker on the other lines."""

START = b"import sys\n\nfrom hostctl.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"


def build(destination: str) -> str:
    """Write the archive to `destination` in one step; return its content hash (16 hex digits). Raises OSError."""
    os.makedirs(os.path.dirname(os.path.abspath(destination)), exist_ok=True)
    beside = f"{destination}.{os.getpid()}"
    with open(beside, "wb") as file:
        file.write(archive())
    os.chmod(beside, 0o755)
    os.replace(beside, destination)
    return _hash(_members())


def archive() -> bytes:
    """The whole archive, ready to be written to a file and run by `python3`."""
    members = _members()
    members["hostctl/build_id.py"] = f'CONTENT_HASH = "{_hash(members)}"\n'.encode()
    content = io.BytesIO(b"#!/usr/bin/env python3\n")
    content.seek(0, os.SEEK_END)
    with zipfile.ZipFile(content, "w") as file:
        for name in sorted(members):
            file.writestr(_member(name), members[name])
    return content.getvalue()


def _members() -> dict[str, bytes]:
    sources = (path for path in SOURCE.rglob("*.py") if path not in LEFT_OUT)
    members = {f"hostctl/{path.relative_to(SOURCE).as_posix()}": path.read_bytes() for path in sources}
    return {**members, "__main__.py": START}


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, MEMBER_TIME)
    # Stored, not deflated: zlib's output differs between its versions. Made on "unix" wherever it is made.
    member.compress_type = zipfile.ZIP_STORED
    member.create_system = 3
    member.external_attr = 0o644 << 16
    return member


def _hash(members: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(members):
        digest.update(f"{name}\0{len(members[name])}\0".encode() + members[name])
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    print(build(sys.argv[1] if len(sys.argv) > 1 else ".work/hostctl.pyz"))
