"""Watching live, and what was found and holds now."""
