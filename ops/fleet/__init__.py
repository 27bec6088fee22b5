"""The operator's commands on several stacks at once: one process a stack, in waves."""
