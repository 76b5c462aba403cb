"""Store results, compare them with each other and with a baseline, and export them to files."""
