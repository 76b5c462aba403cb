"""Read the state of a machine for the checks. Standard library only."""
