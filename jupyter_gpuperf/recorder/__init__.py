"""Recording and replaying as services."""
