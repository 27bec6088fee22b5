"""The double of the docker plugin, one module per resource."""
