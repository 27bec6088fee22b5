"""Restoring an update's configuration: exactly it, the file's own words and comments kept, no secret touched."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pulumi.automation import ConfigValue

from console.errors import UserError
from console.progress import Progress
from ops.engine import environment, history, run, stack_file
from ops.engine.stack_file import restored
from toolchain import find

VALUES: Any = st.recursive(
    st.one_of(st.integers(), st.text(max_size=3), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)),
    max_leaves=6,
)
TREES = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def over(defaults: Any, own: Any) -> Any:
    """The engine's configuration of a file's own values and the project's defaults."""
    if not (isinstance(defaults, dict) and isinstance(own, dict)):
        return own
    below, above = cast(dict[str, Any], defaults), cast(dict[str, Any], own)
    keys = dict.fromkeys([*below, *above])
    return {key: over(below.get(key), above[key]) if key in above else below[key] for key in keys}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(defaults=TREES, own=TREES, earlier=TREES)
def test_what_an_earlier_file_gave_is_given_again_and_defaults_stay_out_of_the_file(
    defaults: Any, own: Any, earlier: Any
) -> None:
    today, chosen = over(defaults, own), over(defaults, earlier)
    back = restored(own, today, chosen)
    assert over(defaults, back) == chosen
    assert restored(own, today, today) == own


PROJECT = """\
name: sentinel-cutover
runtime: python
config:
  sentinel-cutover:limits:
    type: object
    default: {seconds: 10, retries: 3}
"""
FILE = """\
# Mine, and I want it back.
config:
  sentinel-cutover:active: sentinel
  sentinel-cutover:limits:
    retries: 5 # since the disk is slow
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "Pulumi.elsewhere.yaml").write_text(FILE)
    (tmp_path / "__main__.py").write_text("import pulumi\npulumi.export('active', pulumi.Config().require('active'))\n")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(stack_file, "WORK", tmp_path / "work")
    monkeypatch.setattr(environment, "STATE", tmp_path / ".state")
    monkeypatch.setattr(environment, "PULUMI_HOME", tmp_path / "pulumi-home")
    for name in environment.NAMES[1:]:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.engine
@pytest.mark.skipif(bool(find.missing(find.programs())), reason="the engine is not there yet; `make test` provides it")
def test_the_candidate_gives_exactly_what_an_update_ran_with_and_becomes_the_file_by_one_rename(
    project: Path,
) -> None:
    file, progress = project / "Pulumi.elsewhere.yaml", Progress(project / "log", io.StringIO())
    opened = run.open_stack("elsewhere", progress)
    opened.set_config("key", ConfigValue("swordfish", secret=True))
    with_secret = file.read_text()
    opened.up()
    opened.set_config("active", ConfigValue("contextforge"))
    opened.set_config("added", ConfigValue("since"))
    opened.set_config("limits.seconds", ConfigValue("99"), path=True)
    opened.set_config("key", ConfigValue("new", secret=True))
    today = file.read_text()
    first = history.updates_of(opened, "elsewhere")[-1]
    assert "swordfish" not in repr(first)
    path = stack_file.candidate("elsewhere", first.settings)
    assert file.read_text() == today
    assert stack_file.read("elsewhere", path).values == first.settings
    assert run.preview(opened, "elsewhere", progress, path)["same"] == 1
    file.chmod(0o640)
    stack_file.adopt("elsewhere", path)
    assert file.stat().st_mode & 0o777 == 0o640 and not path.exists()
    own = [line for line in with_secret.splitlines() if "secure" not in line]
    assert [line for line in file.read_text().splitlines() if "secure" not in line] == own
    assert next(line for line in today.splitlines() if "secure" in line) in file.read_text()


@pytest.mark.engine
@pytest.mark.skipif(bool(find.missing(find.programs())), reason="the engine is not there yet; `make test` provides it")
@pytest.mark.parametrize(
    ("then", "now"),
    [("{}", "{}"), ("{}", '{"disabled": ["one"]}'), ('{"disabled": [], "kept": 1}', '{"disabled": [1], "kept": 1}')],
)
def test_an_object_under_a_literal_dotted_key_is_restored_as_the_text_that_it_was(
    project: Path, then: str, now: str
) -> None:
    file, progress = project / "Pulumi.elsewhere.yaml", Progress(project / "log", io.StringIO())
    opened = run.open_stack("elsewhere", progress)
    opened.set_config("limits.switch", ConfigValue(then))
    before = file.read_text()
    opened.up()
    opened.set_config("limits.switch", ConfigValue(now))
    opened.set_config("limits.retries", ConfigValue("9"))
    first = history.updates_of(opened, "elsewhere")[-1]
    path = stack_file.candidate("elsewhere", first.settings)
    assert path.read_text() == before


@pytest.mark.engine
@pytest.mark.skipif(bool(find.missing(find.programs())), reason="the engine is not there yet; `make test` provides it")
def test_a_default_that_is_another_one_now_and_that_the_update_did_not_have_is_refused(project: Path) -> None:
    run.open_stack("elsewhere", Progress(project / "log", io.StringIO()))
    before = (project / "Pulumi.elsewhere.yaml").read_text()
    with pytest.raises(UserError, match="cannot be restored exactly: limits would differ"):
        stack_file.candidate("elsewhere", {"active": "sentinel"})
    assert (project / "Pulumi.elsewhere.yaml").read_text() == before
