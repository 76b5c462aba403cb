"""Record and replay as services."""
