"""Run it here or through the server: what magics and public functions call."""
