"""Whatever stands on stdin: an answer or one sentence, never a traceback, and nothing is written when it is refused."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostctl.__main__ import VERBS, main
from tests.soak import SOAK

EXAMPLES = 200 if SOAK else 25
"""Documents a verb; `make soak` takes more."""
HERE = "{here}"
"""Stands for a folder of the example's own, so that no document names a place outside it."""
KEYS = [
    "docker_socket", "container", "edge", "internal", "aliases", "also", "predecessor", "keep", "port", "probe",
    "standby", "force", "gates",
    "token_file", "predecessor_probe", "folder", "limits", "kind", "gateway", "project", "networks", "name",
    "network", "members", "path", "secret", "secret_file", "issuer", "audience", "subject", "role", "days",
    "renew_share", "mode", "uid", "gid", "file", "files", "scope", "entry", "replaces", "authorization",
    "url", "helper", "record", "images", "known", "content", "hash", "owner", "limit_seconds", "answer_seconds"
]  # fmt: skip
WORDS = st.sampled_from(
    ["", "x", "../x", "a\0b", "\ud800", "0600", "user", "contextforge", "absent", "http", "helper",
     HERE, f"{HERE}/below/x", f"{HERE}/there", "unix:///nowhere.sock"]
)  # fmt: skip
VALUES: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 70000), st.floats(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=12)
LOOSE = st.one_of(DOCUMENTS.map(json.dumps), VALUES.map(json.dumps), st.text(max_size=20))


def test_a_socket_that_can_be_no_path_is_refused_in_one_sentence() -> None:
    request, said = io.TextIOWrapper(io.BytesIO(b'{"docker_socket": "\\ud800"}')), io.StringIO()
    with mock.patch.object(sys, "stdin", request), redirect_stderr(said):
        assert main(["stack", "objects"]) == 1
    assert "did not answer (No such file or directory)" in said.getvalue()


@contextmanager
def a_host() -> Generator[Path]:
    """A folder with one file in it, which is also where a relative path would lead."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            (Path(folder) / "there").write_text('{"mcpServers": {}}\n')
            yield Path(folder)
        finally:
            os.chdir(before)


def files(folder: Path) -> dict[str, bytes]:
    """Locks aside: they say who was at work, and stay."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


def ran(words: tuple[str, str], text: str) -> tuple[int, str, str]:
    """The verb in this process, as the archive runs it."""
    out, err = io.StringIO(), io.StringIO()
    stdin = Namespace(buffer=io.BytesIO(text.encode("utf-8", "surrogatepass")))
    with mock.patch.object(sys, "stdin", stdin), redirect_stdout(out), redirect_stderr(err):
        status = main(list(words))
    return status, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(text=LOOSE)
def test_any_document_is_answered_or_refused_in_one_sentence_and_leaves_no_file(
    words: tuple[str, str], text: str
) -> None:
    with a_host() as folder:
        before = files(folder)
        status, out, err = ran(words, text.replace(HERE, str(folder)))
        if status == 0:
            assert isinstance(json.loads(out), dict)
            return
        assert (status, out) == (1, "")
        first, *_ = err.splitlines()
        assert first.startswith(f"hostctl {' '.join(words)}: ") and "internal error" not in err, (text, err)
        assert files(folder) == before
