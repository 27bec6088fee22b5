"""The parts that both doubles share: serving, values, comparison."""
