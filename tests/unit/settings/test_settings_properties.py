"""Whatever a stack's configuration holds: settings, or a report; never another error, and never a secret in it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from settings import SettingsError, load
from settings.model import SECRET_KEYS, Settings
from tests.soak import SOAK
from tests.unit.settings.cases import configuration

SECRET = "a-secret-that-nobody-may-see"
VALUES: Any = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(),
        st.sampled_from(["", "sentinel", "{", "[", '{"a": 1}', "[" * 2000, "/home/x", "\ud800", "127.0.0.1"]),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip
SECTIONS = [*Settings.model_fields]
FIELDS = [
    f"{name}.{below}"
    for name, field in Settings.model_fields.items()
    for below in getattr(field.annotation, "model_fields", {})
]
KEYS = st.one_of(st.sampled_from([*SECTIONS, *FIELDS]), st.text(max_size=8))


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


TEXTS = VALUES.map(as_text)


@settings(deadline=None, max_examples=200 if SOAK else 60, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(changes=st.dictionaries(KEYS, st.one_of(VALUES, TEXTS), max_size=4))
def test_any_configuration_is_settings_or_a_report_and_no_secret_is_shown(changes: dict[str, Any]) -> None:
    raw = {
        **configuration(),
        "jwt_secret": SECRET,
        **{key: value for key, value in changes.items() if key != "jwt_secret"},
    }
    try:
        load(raw, set(SECRET_KEYS), stack="prod")
    except SettingsError as error:
        said = str(error)
        assert said.strip() and SECRET not in said
