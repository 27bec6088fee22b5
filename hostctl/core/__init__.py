"""Ground floor of hostctl: documents, files, locks, times, errors."""
