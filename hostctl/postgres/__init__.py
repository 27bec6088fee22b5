"""Sentinel's database on the host: its roles, its version, and dumps of it."""
