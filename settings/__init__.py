"""The stack's configuration: typed, immutable, checked before any resource is registered."""

from settings.backends import Backend, Expectation
from settings.cross_checks import ports_of, warnings
from settings.errors import Problem, SettingsError
from settings.loading import load, load_from_pulumi, load_or_stop, secret_output, stop
from settings.model import SECRET_KEYS, Settings

__all__ = [
    "SECRET_KEYS",
    "Backend",
    "Expectation",
    "Problem",
    "Settings",
    "SettingsError",
    "load",
    "load_from_pulumi",
    "load_or_stop",
    "ports_of",
    "secret_output",
    "stop",
    "warnings",
]
