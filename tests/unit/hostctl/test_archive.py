"""The archive: same bytes twice, runs isolated, and asks for nothing newer than Python 3.9 or outside its library."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from hostctl.build import SOURCE, UNPACKING, build
from hostctl.core.packing import packed
from hostctl.verbs import VERBS, WITHOUT_DOCUMENT

SOURCES = sorted(path for path in SOURCE.rglob("*.py"))
# What is used and came after 3.9 would have to be here; the list is of names that such code tends to use.
NEWER_THAN_3_9 = {
    "UTC", "TypeAlias", "ParamSpec", "StrEnum", "ExceptionGroup", "TaskGroup", "tomllib", "pairwise", "Self", "batched",
    "add_note", "assert_never", "removeprefix_", "bit_count", "anext", "aiter",
}  # fmt: skip
NEWER_ARGUMENTS = {"slots", "kw_only", "strict", "weakref_slot"}


def test_two_builds_have_the_same_bytes(tmp_path: Path) -> None:
    assert build(str(tmp_path / "one.pyz")) == build(str(tmp_path / "two.pyz"))
    assert (tmp_path / "one.pyz").read_bytes() == (tmp_path / "two.pyz").read_bytes()


def test_the_version_is_the_content_hash(tmp_path: Path) -> None:
    content_hash = build(str(tmp_path / "hostctl.pyz"))
    shown = subprocess.run(
        [sys.executable, "-I", "-S", str(tmp_path / "hostctl.pyz"), "--version"], capture_output=True, text=True
    )
    assert shown.stdout == content_hash + "\n"


def test_the_builder_does_not_travel(archive: Path) -> None:
    names = zipfile.ZipFile(archive).namelist()
    assert "hostctl/build.py" not in names and "hostctl/handover/procedure.py" in names and "__main__.py" in names
    assert names == sorted(names)


def test_a_run_imports_what_its_verb_needs_and_no_other_verb(archive: Path) -> None:
    """The archive holds sources: what is imported is compiled each time."""
    argv = [sys.executable, "-I", "-S", "-X", "importtime", str(archive), "token", "show"]
    report = subprocess.run(argv, input="{}", capture_output=True, text=True).stderr
    imported = {line.rpartition("|")[2].strip() for line in report.splitlines() if "hostctl" in line}
    assert {"hostctl.core.documents", "hostctl.mcp.client"} <= imported
    assert not imported & {
        "hostctl.docker.engine",
        "hostctl.docker.containers",
        "hostctl.handover.journal",
        "hostctl.health_watch.n8n_api",
    }


def test_every_verb_can_be_the_first_thing_that_a_run_imports(archive: Path) -> None:
    modules = sorted({name.rpartition(".")[0] for name in [*VERBS.values(), *WITHOUT_DOCUMENT.values()]})
    program = (
        "import importlib, os, sys\nsys.path.insert(0, sys.argv[1])\n"
        "for name in sys.argv[2:]:\n"
        "    if os.fork() == 0:\n"
        "        importlib.import_module('hostctl.' + name)\n"
        "        os._exit(0)\n"
        "    if os.wait()[1]: sys.exit(name)\n"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", program, str(archive), *modules], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_source_is_python_3_9_and_standard_library_only(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Match)
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            assert module.split(".")[0] in sys.stdlib_module_names | {"hostctl"}, module
        names = (
            {node.attr} if isinstance(node, ast.Attribute) else {node.id} if isinstance(node, ast.Name) else set[str]()
        )
        names |= {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
        assert not names & NEWER_THAN_3_9
        if isinstance(node, ast.Call):
            assert not {keyword.arg for keyword in node.keywords} & NEWER_ARGUMENTS
    assert _unions_at_run_time(tree) == []


def _unions_at_run_time(tree: ast.Module) -> list[int]:
    """Lines with `X | None` outside annotations, which `from __future__ import annotations` does not cover."""
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if annotation is not None
        for inner in ast.walk(annotation)
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.BitOr)
        and id(node) not in annotations
        and isinstance(node.right, ast.Constant)
        and node.right.value is None
    ]


def test_an_unknown_verb_is_answered_with_the_known_ones(run: Any) -> None:
    done = run("handover", "sell", document={})
    assert done.returncode == 2
    assert done.stderr.startswith("hostctl: no such verb: give one of files write, files remove, ")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("", "the document on stdin is not JSON: give one JSON object"),
        ("[]", "the document on stdin is not a JSON object: give one, in curly brackets"),
        ("{}", "'folder' is missing in the document on stdin: give a text"),
        ('{"folder": 7}', "'folder' in the document on stdin must be a text"),
        ('{"folder": "a"}', "'folder' is a relative path: give an absolute one"),
        (
            '{"folder": "/x", "files": [{"name": "../a", "content": ""}]}',
            "'name' of a file is not a plain file name: give one without a slash",
        ),
    ],
)
def test_a_wrong_document_is_one_sentence(run: Any, document: str, sentence: str) -> None:
    done = run("files", "write", document=document)
    said = f"hostctl files write: {sentence} (docs/runbook.md#hostctl-files-write)\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_an_engine_that_is_not_there_is_one_sentence(run: Any, tmp_path: Path) -> None:
    done = run("sentinel", "start", document={"docker_socket": f"unix://{tmp_path}/no.sock", "container": "x"})
    assert done.stderr == (
        f"hostctl sentinel start: the Docker engine at {tmp_path}/no.sock did not answer (No such file or directory): "
        "check that it runs, then run again (docs/runbook.md#hostctl-sentinel-start)\n"
    )


def test_it_travels_compressed_and_is_the_same_archive_on_the_host(archive: Path) -> None:
    """The archive on the host is the stored one: it is compressed for transit only."""
    text = packed(archive.read_bytes())
    assert len(text) < archive.stat().st_size / 2 and b"\n" not in text
    program = f"{UNPACKING};sys.stdout.buffer.write(unpacked(sys.stdin.read()))"
    arrived = subprocess.run([sys.executable, "-I", "-S", "-c", program], input=text, capture_output=True, check=True)
    assert arrived.stdout == archive.read_bytes()


def test_a_host_whose_python_has_no_bz2_ends_with_one_sentence() -> None:
    program = f"import sys;sys.modules['_bz2']=None;{UNPACKING}"
    refused = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr.startswith("hostctl cannot be unpacked: ") and len(refused.stderr.splitlines()) == 1
