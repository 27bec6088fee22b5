"""The history's numbers, differences and table, on a backend with versions of its own and on one without."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

import pytest
from pulumi import automation

from console.errors import UserError
from ops.commands import rollback
from ops.commands.rollback import Choice, chosen
from ops.engine import state
from ops.engine.history import differences, numbered, rows_of, table, updates_of
from ops.engine.stack_file import Configuration
from settings.model import SECRET_KEYS
from tests.unit.settings.cases import configuration

SECRET = {"secret": True}


def summary(version: int, active: str, image: str, result: str = "succeeded", **more: Any) -> automation.UpdateSummary:
    """As the SDK makes one from the engine's JSON: objects are texts, a secret has no value."""
    nested = json.dumps({"image": image, "memory_mb": 512})
    config = {
        "sentinel-cutover:active": {"value": active, "secret": False},
        "sentinel-cutover:sentinel": {"value": nested, "objectValue": json.loads(nested), "secret": False},
        "sentinel-cutover:jwt_secret": SECRET,
        **more.pop("config", {}),
    }
    return automation.UpdateSummary(
        kind=more.pop("kind", "update"),
        start_time=datetime(2026, 11, 24, 11, version % 60),
        message="",
        environment={},
        config=config,
        result=result,
        version=version,
        resource_changes=more.pop("changes", {"same": 30}),
    )


def today(active: str = "sentinel") -> Configuration:
    return Configuration({"active": active, "sentinel": {"image": "s:2"}}, frozenset({"jwt_secret"}))


NEWEST_FIRST = [
    ("sentinel", "s:2", {"create": 2, "delete": 2, "update": 1, "same": 27}),
    ("sentinel", "s:1", {"create": 7, "same": 20}),
    ("contextforge", "s:1", {"create": 20}),
]


def of_a_backend(versions: list[int]) -> list[automation.UpdateSummary]:
    return [
        summary(version, active, image, changes=changes)
        for version, (active, image, changes) in zip(versions, NEWEST_FIRST, strict=True)
    ]


@pytest.mark.parametrize(
    ("versions", "numbers"), [([0, 0, 0], [3, 2, 1]), ([17, 16, 12], [17, 16, 12])], ids=["files", "a service"]
)
def test_an_update_has_the_services_number_and_its_place_where_there_is_none(
    versions: list[int], numbers: list[int]
) -> None:
    updates = numbered(of_a_backend(versions))
    assert [one.number for one in updates] == numbers
    assert chosen(updates, today(), numbers[1]).values == {
        "active": "sentinel",
        "sentinel": {"image": "s:1", "memory_mb": 512},
    }


def test_the_table_names_who_was_active_the_image_and_what_was_different_from_the_one_before() -> None:
    rows = rows_of(numbered(of_a_backend([0, 0, 0])))
    assert [row["changes"]["settings"] for row in rows] == [
        ["sentinel.image: s:1 -> s:2"],
        ["active: contextforge -> sentinel"],
        [],
    ]
    head, newest, *_ = table(rows)
    assert head.split() == ["number", "at", "result", "active", "image", "what", "changed"]
    assert newest == (
        "3       2026-11-24T11:00:00Z  succeeded  sentinel      s:2    "
        "sentinel.image: s:1 -> s:2; create 2, delete 2, update 1"
    )


def test_differences_go_down_to_the_setting_and_call_a_list_changed() -> None:
    before = {"a": {"b": 1, "c": "x"}, "list": [1], "gone": {"d": 1}}
    after = {"a": {"b": 2, "c": "x"}, "list": [2], "new": True}
    assert differences(before, after) == ["a.b: 1 -> 2", "list changed", "gone no longer set", "new: not set -> true"]


def test_more_updates_than_the_engine_gives_at_once_are_all_read_so_that_a_number_stays_the_same() -> None:
    pages = {1: of_a_backend([0, 0, 0]) * 33 + [summary(0, "sentinel", "s:9")], 2: of_a_backend([0, 0, 0])}

    class Opened:
        def history(self, page_size: int, page: int, show_secrets: bool) -> list[automation.UpdateSummary]:
            assert (page_size, show_secrets) == (100, False)
            return pages[page]

    updates = updates_of(Opened(), "lab")  # type: ignore[arg-type]
    assert [updates[0].number, updates[99].image, updates[-1].number] == [103, "s:9", 1]


def test_reading_an_updates_settings_leaves_them_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """A literal `sentinel.image` was once laid into the nested settings, and written to the stack's file."""
    values: dict[str, Any] = {
        **configuration(),
        "sentinel": {"serve": "bridge", "image": "s:1"},
        "sentinel.image": "s:2",
    }
    plain = {key: value for key, value in values.items() if key not in SECRET_KEYS}
    secrets = {key: value for key, value in values.items() if key in SECRET_KEYS}

    def as_user_error(_: str) -> AbstractContextManager[None]:
        return nullcontext()

    monkeypatch.setattr(state, "as_user_error", as_user_error)

    class Opened:
        def get_all_config(self) -> dict[str, automation.ConfigValue]:
            return {f"sentinel-cutover:{key}": automation.ConfigValue(value, True) for key, value in secrets.items()}

    read = rollback._settings(Opened(), "lab", Choice("update 1", plain))  # type: ignore[arg-type]
    assert (read.sentinel.image, plain["sentinel"]) == ("s:2", {"serve": "bridge", "image": "s:1"})


def test_without_a_number_the_rollback_is_todays_configuration_with_the_switch_turned() -> None:
    assert chosen([], today(), None).values == {"active": "contextforge", "sentinel": {"image": "s:2"}}


@pytest.mark.parametrize(
    ("updates", "number", "sentence"),
    [
        ([], 1, "There is no update 1: there is none yet"),
        ([summary(0, "sentinel", "s:1")], 2, "There is no update 2: they are 1 to 1"),
        ([summary(0, "sentinel", "s:1", "failed")], 1, "Update 1 (a run of update) ended as failed"),
        ([summary(0, "sentinel", "s:1", kind="destroy")], 1, "Update 1 (a run of destroy) ended as succeeded"),
        (
            [summary(0, "sentinel", "s:1", config={"sentinel-cutover:exa_api_key": SECRET})],
            1,
            "Update 1 ran with the secret exa_api_key, which is no longer set",
        ),
    ],
)
def test_an_update_that_cannot_be_gone_back_to_is_refused_in_one_sentence(
    updates: list[automation.UpdateSummary], number: int, sentence: str
) -> None:
    with pytest.raises(UserError) as refused:
        chosen(numbered(updates), today(), number)
    assert str(refused.value).startswith(sentence)


def test_a_value_that_has_become_a_secret_since_keeps_todays_secret() -> None:
    was_plain = summary(0, "sentinel", "s:1", config={"sentinel-cutover:jwt_secret": {"value": "old", "secret": False}})
    assert "jwt_secret" not in chosen(numbered([was_plain]), today(), 1).values
