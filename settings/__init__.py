"""The stack's configuration: typed, immutable, checked before any resource is registered.

Owns: the public names of the settings.
Deliberately does not: touch the host or register a resource.
"""

from settings.backends import Backend, Expectation
from settings.cross_checks import ports_of, warnings
from settings.errors import Problem, SettingsError, report
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
    "report",
    "secret_output",
    "stop",
    "warnings",
]
