"""Check readings live with the rules, and keep the current findings and alerts."""
