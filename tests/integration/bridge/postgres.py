"""The PostgreSQL of this group's tests."""

from lab.real.postgres import Database, running_postgres

__all__ = ["Database", "running_postgres"]
