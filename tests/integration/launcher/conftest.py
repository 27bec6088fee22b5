"""The database of the group's houses."""

from tests.integration.bridge.conftest import database

__all__ = ["database"]
