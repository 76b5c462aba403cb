"""Stored results: comparison with each other and with a baseline, and export to files."""
