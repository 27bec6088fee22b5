"""What both doubles share: serving, values, comparison."""
