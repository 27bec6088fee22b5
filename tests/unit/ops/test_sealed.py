"""A sealed document: the passphrase opens it, nothing else does, and nothing of it can be read."""

from __future__ import annotations

import pytest

from console.errors import UserError
from ops.engine.sealed import opened, seal

FILES = {".pulumi/stacks/one.json": b'{"a": 1}', "stack.yaml": b"config: {}\n"}


def test_what_was_sealed_comes_back_by_the_passphrase() -> None:
    document = seal(FILES, "correct horse")
    assert opened(document, "correct horse") == FILES
    assert b"config" not in document


@pytest.mark.parametrize("damage", ["another passphrase", "a changed byte", "a torn end"])
def test_anything_else_does_not_open_it(damage: str) -> None:
    document = seal(FILES, "correct horse")
    if damage == "a changed byte":
        document = document[:-1] + bytes([document[-1] ^ 1])
    if damage == "a torn end":
        document = document[:-20]
    with pytest.raises(UserError, match="does not open"):
        opened(document, "another" if damage == "another passphrase" else "correct horse")


@pytest.mark.parametrize("document", [b"", b"PGDMP", b"sentinel-cutover sealed 1\n"])
def test_a_file_of_another_kind_is_a_sentence(document: bytes) -> None:
    with pytest.raises(UserError, match="not one that this program seals"):
        opened(document, "x")
