"""The double of the command plugin, one module per resource."""
