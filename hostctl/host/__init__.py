"""Facts of the host: sockets, port holders, the invoking user."""
