"""Files of a stack as one sealed document that only the stack's passphrase opens.

Owns: the format: a first line, a salt, a nonce, and a compressed tar under AES-256-GCM with a key that scrypt derives.
Deliberately does not: choose the files, or hold the passphrase longer than one call.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from console.errors import UserError

_FORMAT = b"sentinel-cutover sealed 1\n"
_SALT_BYTES, _NONCE_BYTES = 16, 12
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 15, 8, 1
_MEMORY_BYTES = 64 << 20


def seal(files: Mapping[str, bytes], passphrase: str) -> bytes:
    """The files, by a relative path, as one document."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    hidden = AESGCM(_key(passphrase, salt)).encrypt(nonce, packed.getvalue(), _FORMAT)
    return _FORMAT + salt + nonce + hidden


def opened(document: bytes, passphrase: str) -> dict[str, bytes]:
    """The files of a document; raises UserError where the passphrase is another one or the document is damaged."""
    body = document.removeprefix(_FORMAT)
    salt, nonce, hidden = (
        body[:_SALT_BYTES],
        body[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES],
        body[_SALT_BYTES + _NONCE_BYTES :],
    )
    if len(body) == len(document) or not hidden:
        raise UserError("The copy is not one that this program seals.")
    try:
        content = AESGCM(_key(passphrase, salt)).decrypt(nonce, hidden, _FORMAT)
    except InvalidTag:
        raise UserError("The copy does not open: it was sealed with another passphrase, or is damaged.") from None
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        return {member.name: _content(archive, member) for member in archive.getmembers() if member.isfile()}


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, maxmem=_MEMORY_BYTES, dklen=32
    )
