"""Which paths a `.dockerignore` leaves out; the cases follow the examples of Docker's own page on it."""

from __future__ import annotations

import pytest

from hostctl.dockerignore import Ignored
from hostctl.errors import Refusal


@pytest.mark.parametrize(
    ("text", "left_out", "kept"),
    [
        (
            "# comment\n*/temp*\n",
            ["some/temporary.txt", "some/temp/deep/file"],
            ["temp", "some/deep/temp", "# comment"],
        ),
        ("*/*/temp*", ["some/deep/temporary.txt"], ["some/temp"]),
        ("temp?", ["tempa", "tempb/inside"], ["temp", "tempab"]),
        ("**/*.go", ["main.go", "a/b/c.go"], ["main.gone"]),
        ("*.md\n!README.md", ["a.md"], ["README.md", "folder/b.md"]),
        ("*.md\n!README*.md\nREADME-secret.md", ["README-secret.md", "a.md"], ["README.md"]),
        ("target\n!target/keep", ["target/drop"], ["target/keep"]),
        ("/.git", [".git/objects/aa"], ["folder/.git"]),
        ("./build/", ["build/x"], ["builds"]),
        ("secret\\*", ["secret*"], ["secrets"]),
        ("[a-c].txt", ["b.txt"], ["d.txt"]),
        ("\n   \n", [], ["anything"]),
    ],
)
def test_the_last_line_that_matches_decides(text: str, left_out: list[str], kept: list[str]) -> None:
    ignored = Ignored.of(text)
    assert [path for path in left_out + kept if ignored.leaves_out(path)] == left_out


def test_a_line_that_is_no_pattern_is_named() -> None:
    with pytest.raises(Refusal, match=r"line 2 of \.dockerignore \(\[b-a\]\) is no pattern .*: correct it"):
        Ignored.of("target\n[b-a]\n")
