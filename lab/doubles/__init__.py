"""Programs that stand in for real ones; each says what it is and which recordings hold it."""
