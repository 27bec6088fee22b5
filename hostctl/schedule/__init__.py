"""Schedulers of the host: boot, every minute, the operator's scripts."""
