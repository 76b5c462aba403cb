"""Watching live and keeping what was found."""
