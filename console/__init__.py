"""Errors, progress and results as a person sees them: ground floor, imports nothing else of the repository."""
