"""A VPS in a box: the host on which the whole product is tried, on real parts, without touching the developer's own."""
