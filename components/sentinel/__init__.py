"""The gateway in standby: image, configuration, container, live settings."""
