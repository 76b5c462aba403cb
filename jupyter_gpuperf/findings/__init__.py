"""Watch live, and keep what was found and still holds."""
