"""The Pulumi engine as the commands drive it."""
