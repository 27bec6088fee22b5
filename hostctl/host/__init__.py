"""Facts of the host: sockets, callers, bindings."""
