"""Code that a finding suggests."""
