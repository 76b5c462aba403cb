"""Kept results: compared, held against a baseline, written as files."""
