"""Doubles: programs that stand in for real ones. Each says of which, and which recordings hold it."""
