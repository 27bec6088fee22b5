"""Whatever stands in the raw configuration: settings or a SettingsError, and no secret in its text."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from settings import SECRET_KEYS, SettingsError, load
from settings.model import Settings
from tests.unit.settings.cases import configuration, refusal

JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
SECTIONS = [name for name in Settings.model_fields if name not in SECRET_KEYS]
KEYS = st.sampled_from([*SECTIONS, "sentinel.port", "host.home", "backends", "x.y.z", "sentinel.port.deeper", ""])


@settings(deadline=None)
@example({"[key]": None})  # as pydantic spells the place of a mapping's key
@given(
    st.dictionaries(
        KEYS | st.sampled_from(SECRET_KEYS) | st.text(max_size=12), JSONISH | JSONISH.map(json.dumps), max_size=6
    )
)
def test_no_input_makes_anything_but_settings_or_a_settings_error(raw: dict[str, Any]) -> None:
    try:
        load({**configuration(), **raw}, SECRET_KEYS)
    except SettingsError as error:
        assert error.problems and str(error)


@settings(deadline=None)
@given(st.sampled_from(["host", "sentinel", "client"]), st.data())
def test_no_input_inside_a_section_makes_anything_but_a_settings_error(section: str, data: st.DataObject) -> None:
    model = Settings.model_fields[section].annotation
    assert isinstance(model, type) and issubclass(model, BaseModel)
    names = list(model.model_fields)
    value = data.draw(st.dictionaries(st.sampled_from(names), JSONISH, max_size=4))
    try:
        load({**configuration(host__home=None, sentinel__image=None), section: value}, SECRET_KEYS)
    except SettingsError as error:
        assert error.problems


@settings(deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=10, max_size=60).filter(
        lambda t: t.strip("w-jk") != ""
    ),
    st.sampled_from(SECRET_KEYS),
    st.sampled_from(["active", "sentinel.image", "firewall.interface", "host.home", "jwt_secrt"]),
)
def test_no_error_text_holds_a_secrets_value(value: str, key: str, elsewhere: str) -> None:
    secret = "zq" + value
    raw = {**configuration(sentinel__port="x"), key: secret, elsewhere: secret}
    for secret_keys in (SECRET_KEYS, ()):
        assert secret not in str(refusal(raw, secret_keys))
