"""This program's archive with bytecode of the host's own Python beside each source.

Without it, compiling the sources takes half of a verb's time. After an upgrade of the host's Python the sources are
used again: `zipimport` ignores bytecode of another version (`_get_module_code`).
"""

from __future__ import annotations

import io
import marshal
import sys
import zipfile
from importlib import util

_UNCHECKED = 1
"""Flags of bytecode that is not compared with its source (PEP 552); both are parts of one archive."""


def own_archive() -> bytes:
    """The running archive, with bytecode; raises OSError."""
    with open(sys.argv[0], "rb") as file:
        return with_bytecode(file.read())


def with_bytecode(archive: bytes) -> bytes:
    """The archive with a `.pyc` for each `.py` that has none."""
    whole = io.BytesIO(archive)
    with zipfile.ZipFile(whole, "a") as file:
        present = set(file.namelist())
        for source in [one for one in file.infolist() if one.filename.endswith(".py")]:
            compiled = zipfile.ZipInfo(f"{source.filename}c", source.date_time)
            compiled.external_attr = source.external_attr
            if compiled.filename not in present:
                file.writestr(compiled, _compiled(source.filename, file.read(source)))
    return whole.getvalue()


def _compiled(name: str, source: bytes) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True)
    return util.MAGIC_NUMBER + _UNCHECKED.to_bytes(4, "little") + util.source_hash(source) + marshal.dumps(code)
