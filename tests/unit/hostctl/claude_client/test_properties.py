"""For any JSON file of any layout: cutover and rollback are the identity, and in between only the entries differ."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hostctl.core.errors import Refusal
from tests.soak import SOAK
from tests.unit.hostctl.claude_client.cases import act, document

EXAMPLES = 300 if SOAK else 100
"""Files a test; `make soak` takes more."""
KEYS = st.one_of(st.text(max_size=6), st.sampled_from(['"', "\\", "}", "a{", "mcp"]))
VALUES: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
EMPTY: dict[str, Any] = {}
NAMES = st.one_of(KEYS, st.sampled_from(["contextforge", "sentinel", "notes"]))
SERVERS: Any = st.dictionaries(NAMES, VALUES, max_size=4)
INDENTS = st.sampled_from([None, 0, 1, 2, 4, "\t"])
ENDS = st.sampled_from(["", "\n", "\r\n", " \n\n"])


@st.composite
def texts(draw: Any) -> str:
    """A file as some program may have written it, with and without the objects that the entry needs."""
    known: dict[str, Any] = draw(st.dictionaries(KEYS, VALUES, max_size=3))
    if draw(st.booleans()):
        known["mcpServers"] = draw(SERVERS)
    if draw(st.booleans()):
        known["projects"] = draw(
            st.one_of(
                st.just(EMPTY),
                st.just({"/p": EMPTY}),
                st.fixed_dictionaries({"/p": st.fixed_dictionaries({"mcpServers": SERVERS})}),
            )
        )
    order = draw(st.permutations(list(known)))
    text = json.dumps(
        {key: known[key] for key in order}, indent=draw(INDENTS), ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([None, (",", ":"), (" , ", " : ")])),
    )  # fmt: skip
    text = text.encode("utf-8", "replace").decode()
    return (
        draw(st.sampled_from(["", " ", "\n"])) + text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))) + draw(ENDS)
    )


@settings(deadline=None, max_examples=EXAMPLES)
@example(text='{"mcpServers": {"": null, "contextforge": null, "sentinel": null}}', scope="user", touched=True)
@given(text=texts(), scope=st.sampled_from(["user", "local"]), touched=st.booleans())
def test_a_rollback_restores_every_byte_and_only_the_entries_differ_before(
    text: str, scope: str, touched: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        values = document(home, scope=scope, project="/p")
        file = home / ".claude.json"
        file.write_bytes(text.encode())
        act("record", values)
        act("apply", values)
        after = json.loads(file.read_bytes())
        holder = after["projects"]["/p"]["mcpServers"] if scope == "local" else after["mcpServers"]
        assert holder["sentinel"]["headersHelper"] == values["helper"]
        assert "contextforge" not in holder
        assert _without(json.loads(text), scope) == _without(after, scope)
        # Somebody else's change, outside the entries, takes the way that edits instead of the kept copy.
        addition = b"\n" if touched else b""
        file.write_bytes(file.read_bytes() + addition)
        act("restore", values)
        assert file.read_bytes() == text.encode() + addition


@st.composite
def damaged(draw: Any) -> bytes:
    """A file that some program wrote, after an editor, a full disk or a wrong encoding has been at it."""
    content: bytes = draw(texts()).encode()
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, len(content)))
    return content[:start] + draw(st.one_of(st.binary(max_size=4), st.just(b"\xef\xbb\xbf"))) + content[end:]


@settings(deadline=None, max_examples=EXAMPLES)
@example(content=b'{"deep": ' + b"[" * 990 + b"]" * 990 + b"}", scope="user")
@example(content=b'{"mcpServers": {}, "mcpServers": {}}', scope="user")
@example(content=b"null", scope="local")
@given(content=st.one_of(damaged(), st.binary(max_size=40)), scope=st.sampled_from(["user", "local"]))
def test_a_file_that_is_refused_is_left_as_it_is_and_any_other_comes_back(content: bytes, scope: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        values = document(home, scope=scope, project="/p")
        file = home / ".claude.json"
        file.write_bytes(content)
        try:
            act("record", values)
            act("apply", values)
        except Refusal as refusal:
            assert str(file) in str(refusal) and "\n" not in str(refusal)
            assert file.read_bytes() == content
        else:
            assert "sentinel" in file.read_text()
            act("restore", values)
            assert file.read_bytes() == content


def _without(known: dict[str, Any], scope: str) -> str:
    path = ["projects", "/p", "mcpServers"] if scope == "local" else ["mcpServers"]
    along = [known]
    for key in path:
        along.append(along[-1].get(key, {}))
    for name in ("sentinel", "contextforge"):
        along[-1].pop(name, None)
    for at in range(len(path), 0, -1):
        if not along[at]:
            along[at - 1].pop(path[at - 1], None)
    return json.dumps(known)
