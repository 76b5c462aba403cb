"""Rebuild DataLoaders with other settings, write them as code, compare them, and time them."""
