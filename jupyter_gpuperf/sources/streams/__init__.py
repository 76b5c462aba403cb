"""Readings of other machines: child processes write them as lines, and the server parses lines and nothing else."""
